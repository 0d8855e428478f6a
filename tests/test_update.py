"""Projects live on: updates and toggles leave the revisions and the data alone."""

import re
from pathlib import Path

import pytest
import yaml
from copier import run_copy, run_update
from pytest_copier.plugin import CopierFixture

from tests.conftest import QUESTIONS, Render, commit, git, run

VERSIONS = Path("migrations", "versions")


CREATE_ADMIN = (
    *("app", "create-admin", "--generate-password"),
    *("--username", "ada", "--email", "ada@example.com"),
)

QUERY = """
import os, sys
from tests.databases import execute
from app.db.url import parse_database_url
print(execute(parse_database_url(os.environ["DATABASE_URL"]), sys.argv[1]))
"""


@pytest.fixture
def template(copier: CopierFixture, tmp_path: Path) -> Path:
    """A template of our own, whose later versions we write."""
    template = tmp_path / "template"
    git(tmp_path, "clone", "--quiet", str(copier.template), str(template))
    return template


def release(template: Path, tag: str) -> None:
    commit(template, tag)
    git(template, "tag", tag)


def update(project: Path, **answers: object) -> None:
    QUESTIONS.require_known(answers)
    run_update(project, data=answers, defaults=True, overwrite=True, unsafe=False, quiet=True)


def revisions(project: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (project / VERSIONS).glob("*.py")}


def app_dev(project: Path, *command: str) -> str:
    """Run a command beside the project's own database."""
    return run(project, "uv", "run", "--locked", "--quiet", "app", "dev", *command)


def query(project: Path, statement: str) -> str:
    """Ask the project's own database, by its own means."""
    return app_dev(project, "python", "-c", QUERY, statement).strip()


def test_update_neither_adds_nor_changes_nor_removes_a_revision(
    template: Path, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    run_copy(str(template), project, data={"preset": "full"}, defaults=True, quiet=True)
    (project / VERSIONS / "20260101_own.py").write_text('revision = "own"\n')
    (project / VERSIONS / "items.py").write_text("# edited by its owner\n")
    commit(project)
    before = revisions(project)

    source = template / "template" / VERSIONS
    (source / "baseline.py").write_text("# the template changed its mind\n")
    (source / "items.py").unlink()
    (source / "0003_later.py").write_text('revision = "0003"\n')
    (template / "template" / ".dockerignore").write_text("# a later fix\n")
    release(template, "100.0.0")

    update(project)
    assert (project / ".dockerignore").read_text() == "# a later fix\n"
    assert revisions(project) == before


def test_feature_turned_on_later_gets_its_table(render: Render, tools: Path) -> None:
    """`copier update -d example=true`, then `make migration`: the models say what is needed."""
    project = render(preset="minimal")
    commit(project)
    app_dev(project, "alembic", "upgrade", "head")

    update(project, example=True)
    assert yaml.safe_load((project / ".copier-answers.yml").read_text())["example"] is True
    assert revisions(project).keys() == {"baseline.py"}
    run(project, "uv", "lock", "--offline", "--quiet")
    app_dev(project, "alembic", "revision", "--autogenerate", "-m", "add items")
    (new,) = revisions(project).keys() - {"baseline.py"}
    assert re.fullmatch(r"\d{8}_[0-9a-f]+_add_items\.py", new)
    run(project, tools / "ruff", "check")
    run(project, tools / "ruff", "format", "--check")
    app_dev(project, "alembic", "upgrade", "head")
    app_dev(project, "alembic", "check")


@pytest.mark.suite
def test_accounts_turned_on_later_find_rows(render: Render) -> None:
    """Items from before have no owner: they stay, and only admins see them."""
    project = render(auth=False)
    commit(project)
    app_dev(project, "alembic", "upgrade", "head")
    query(project, "INSERT INTO items (title) VALUES ('from before')")

    update(project, auth=True)
    run(project, "uv", "lock", "--offline", "--quiet")
    app_dev(project, "alembic", "revision", "--autogenerate", "-m", "add accounts")
    app_dev(project, "alembic", "upgrade", "head")
    app_dev(project, "alembic", "check")
    assert query(project, "SELECT title, owner_id FROM items") == "[('from before', None)]"
    run(project, "make", "test", "ARGS=tests/api tests/db -k 'not up_down_up'")


@pytest.mark.suite
def test_accounts_turned_off_keep_their_rows(render: Render) -> None:
    project = render()
    commit(project)
    app_dev(project, "alembic", "upgrade", "head")
    app_dev(project, *CREATE_ADMIN)

    update(project, auth=False)
    run(project, "uv", "lock", "--offline", "--quiet")
    app_dev(project, "alembic", "upgrade", "head")
    app_dev(project, "alembic", "check")
    assert query(project, "SELECT username FROM users") == "[('ada',)]"


@pytest.mark.suite
def test_redis_turned_on_and_off_again(render: Render) -> None:
    """It needs no migration: `.env` gets its URL when it is first needed."""
    project = render(redis=False)
    commit(project)
    app_dev(project, "alembic", "upgrade", "head")
    before = {path: text for path, text in tracked(project).items() if path != "uv.lock"}

    update(project, redis=True)
    run(project, "uv", "lock", "--offline", "--quiet")
    app_dev(project, "alembic", "check")
    assert re.search("^REDIS_URL=redis://", (project / ".env").read_text(), re.MULTILINE)
    run(project, "make", "test", "ARGS=tests/api tests/redis/test_cache.py")
    commit(project, "with Redis")

    update(project, redis=False)
    run(project, "uv", "lock", "--offline", "--quiet")
    after = {path: text for path, text in tracked(project).items() if path != "uv.lock"}
    assert after == before
    run(project, "make", "test", "ARGS=tests/api")


@pytest.mark.suite
@pytest.mark.parametrize("feature", ["metrics", "tracing"])
def test_monitoring_turned_on_and_off_again(render: Render, feature: str) -> None:
    """It brings its libraries and files, and takes them away, in a project that is used."""
    project = render(**{feature: False})
    commit(project)
    before = {path: text for path, text in tracked(project).items() if path != "uv.lock"}

    update(project, **{feature: True})
    run(project, "uv", "lock", "--offline", "--quiet")
    run(project, "make", "test", f"ARGS=tests/{feature} tests/unit")
    commit(project, f"with {feature}")

    update(project, **{feature: False})
    run(project, "uv", "lock", "--offline", "--quiet")
    after = {path: text for path, text in tracked(project).items() if path != "uv.lock"}
    assert after == before
    run(project, "make", "test", "ARGS=tests/unit")


def tracked(project: Path) -> dict[str, str]:
    """Return what git knows of the project's files."""
    git(project, "add", "--all")
    names = git(project, "ls-files").splitlines()
    return {name: (project / name).read_text() for name in names if (project / name).exists()}


def test_feature_turned_off_keeps_its_table(render: Render) -> None:
    """Nothing is dropped by itself: not by the update, not by the next autogenerate."""
    project = render(preset="standard")
    commit(project)
    app_dev(project, "alembic", "upgrade", "head")
    before = revisions(project)

    update(project, example=False)
    assert not (project / "app" / "models" / "item.py").exists()
    assert revisions(project) == before
    run(project, "uv", "lock", "--offline", "--quiet")
    app_dev(project, "alembic", "upgrade", "head")
    app_dev(project, "alembic", "check")
    app_dev(project, "alembic", "revision", "--autogenerate", "-m", "next")
    (new,) = revisions(project).keys() - before.keys()
    assert "drop" not in revisions(project)[new]


def test_lock_and_own_files_are_kept(render: Render) -> None:
    project = render(preset="standard")
    for name in ("uv.lock", "CHANGELOG.md"):
        (project / name).write_text("# mine\n")
    commit(project)
    update(project, ci="none")
    assert not (project / ".github").exists()
    for name in ("uv.lock", "CHANGELOG.md"):
        assert (project / name).read_text() == "# mine\n"
