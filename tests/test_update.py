"""`copier update`: fixes arrive, edits stay, conflicts show, and data is left alone."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
from copier import run_copy, run_update

from copier_fastapi.moves import FILE, Moves
from tests.support.features import FEATURES
from tests.support.files import replace_in
from tests.support.projects import (
    VERSIONS,
    answers_of,
    app_dev,
    copier_fastapi,
    from_template,
    is_committed,
    mark,
    mark_of,
    query,
    revisions,
    start,
    unmarked,
    unmerged,
    update,
)
from tests.support.releases import HEAD, announced, build, has_history, released
from tests.support.shell import commit, git, run
from tests.support.template import ROOT, Render

pytestmark = pytest.mark.living

CREATE_ADMIN = (
    *("app", "create-admin", "--generate-password"),
    *("--username", "ada", "--email", "ada@example.com"),
)

FEW = {"preset": "custom", "auth": False, "redis": False, "ci": "gitlab", "tracing": False}
OTHERS = {"preset": "custom", "example": False, "metrics": False, "kubernetes": False, "ci": "none"}

VARIANTS = [
    pytest.param({"preset": "standard"}, id="standard"),
    pytest.param(FEW, id="few"),
    pytest.param({"preset": "minimal"}, id="minimal", marks=pytest.mark.deep),
    pytest.param(OTHERS, id="others", marks=pytest.mark.deep),
]

TOOLS = Path(sys.executable).parent

MOVES = Moves.parse((ROOT / FILE).read_text(encoding="utf-8"))

LATER = "99.1.0"

RELEASES = list(released()) if has_history() else []


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template with all its releases, and its present state as the newest version."""
    return build(tmp_path_factory.mktemp("releases") / "template")


def render_at(template: Path, project: Path, version: str, **answers: object) -> Path:
    run_copy(str(template), project, data=answers, vcs_ref=version, defaults=True, quiet=True)
    return project


def left_since(version: str) -> set[str]:
    """Return the paths that the template moved or dropped."""
    sections = MOVES.since(version).sections.values()
    return {path for each in sections for path in (*each.moves, *each.removals)}


@pytest.mark.skipif(not has_history(), reason="an archive or a shallow clone has no releases")
def test_every_release_can_be_rebuilt() -> None:
    """A release is a commit; the one that is being cut has none yet."""
    changelog = git(ROOT, "show", "HEAD:CHANGELOG.md")
    assert announced(changelog) == RELEASES[::-1]


def test_the_version_is_that_of_the_changelog() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert announced((ROOT / "CHANGELOG.md").read_text())[0] == project["version"]


@pytest.mark.parametrize("answers", VARIANTS)
@pytest.mark.parametrize("version", RELEASES)
def test_untouched_project_becomes_what_a_new_one_is(
    releases: Path, tmp_path: Path, version: str, answers: dict[str, object]
) -> None:
    project = start(render_at(releases, tmp_path / "project", version, **answers))
    update(project)
    fresh = render_at(releases, tmp_path / "fresh", HEAD, **answers)
    assert from_template(project) == from_template(start(fresh))
    assert answers_of(project) == answers_of(fresh)


@pytest.mark.parametrize("answers", VARIANTS)
@pytest.mark.parametrize("version", RELEASES)
def test_every_edit_survives(
    releases: Path, tmp_path: Path, version: str, answers: dict[str, object]
) -> None:
    """A line in the middle of every file is there after the update, be it in a conflict.

    Plain Copier deletes the files that the template moved or dropped. Git shows that they are gone,
    and has them.
    """
    project = start(render_at(releases, tmp_path / "project", version, **answers))
    marked = mark(project)
    commit(project, "Edit everything")
    update(project)
    left = marked & left_since(version)
    assert unmarked(project, marked) == left
    assert set(git(project, "diff", "--name-only", "--diff-filter=D").splitlines()) == left
    assert all(mark_of(path) in git(project, "show", f"HEAD:{path}") for path in left)
    assert answers_of(project)["_commit"] == HEAD


@pytest.mark.parametrize("version", RELEASES)
def test_command_keeps_every_edit(releases: Path, tmp_path: Path, version: str) -> None:
    """Each is in its place or beside it, and the new place of each file that moved is named."""
    project = start(render_at(releases, tmp_path / "project", version, preset="full"))
    marked = mark(project)
    commit(project, "Edit everything")
    printed = copier_fastapi(project, "update", status=(3,))
    left = marked & left_since(version)
    assert unmarked(project, marked) == left
    for path in left:
        assert mark_of(path) in (project / f"{path}.kept").read_text()
        place = MOVES.since(version).path(path)
        if not place.removed:
            assert f"{path} moved to {place.now}: your version is {path}.kept.\n" in printed
    assert answers_of(project)["_commit"] == HEAD


def test_conflict_is_shown_and_git_commits_none(later: Path, tmp_path: Path) -> None:
    """Both sides are there, and the file is unmerged. Who stages it anyway meets a hook."""
    project = start(render_at(later, tmp_path / "project", "1.0.0"))
    replace_in(project / "Makefile", "Everything one does", "Whatever we do")
    commit(project, "Ours")
    update(project)
    text = (project / "Makefile").read_text()
    assert "<<<<<<< before updating\n# Whatever we do" in text
    assert "# All that one does" in text
    assert unmerged(project) == {"Makefile"}
    assert not is_committed(project)
    git(project, "add", "--all")
    with pytest.raises(pytest.fail.Exception, match="no conflict of a template update"):
        run(project, TOOLS / "prek", "run", "conflicts")
    assert "closed in the end" in (project / "app" / "core" / "events.py").read_text()


def test_copier_names_the_command_that_keeps_every_edit(
    later: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    project = start(render_at(later, tmp_path / "project", "1.0.0", preset="minimal"))
    run_update(project, defaults=True, overwrite=True)
    before, _, _ = capfd.readouterr().err.partition("Updating to template version 2.0.0")
    assert "use `copier-fastapi update`" in before


def test_new_feature_is_off_in_a_project_that_lives(later: Path, tmp_path: Path) -> None:
    """Its owner turns it on; a new project has it."""
    project = start(render_at(later, tmp_path / "project", "1.0.0", preset="standard"))
    update(project)
    assert answers_of(project)["jobs"] is False
    commit(project)
    run_update(project, data={"jobs": True}, defaults=True, overwrite=True, quiet=True)
    assert answers_of(project)["jobs"] is True
    fresh = render_at(later, tmp_path / "fresh", "2.0.0", preset="standard")
    assert answers_of(fresh)["jobs"] is True


def test_update_neither_adds_nor_changes_nor_removes_a_revision(
    later: Path, tmp_path: Path
) -> None:
    template = tmp_path / "template"
    git(tmp_path, "clone", "--quiet", str(later), str(template))
    source = template / "template" / VERSIONS
    (source / "baseline.py").write_text("# the template changed its mind\n")
    (source / "items.py.jinja").unlink()
    (source / "0003_later.py").write_text('revision = "0003"\n')
    commit(template, "Other revisions")
    git(template, "tag", "3.0.0")

    project = start(render_at(template, tmp_path / "project", "1.0.0", preset="full"))
    (project / VERSIONS / "20260101_own.py").write_text('revision = "own"\n')
    (project / VERSIONS / "items.py").write_text("# edited by its owner\n")
    commit(project)
    before = revisions(project)
    update(project)
    assert answers_of(project)["_commit"] == "3.0.0"
    assert revisions(project) == before


def test_lock_and_own_files_are_kept(render: Render) -> None:
    project = render(preset="standard")
    for name in ("uv.lock", "CHANGELOG.md"):
        (project / name).write_text("# mine\n")
    commit(project)
    update(project, ci="none")
    assert not (project / ".github").exists()
    for name in ("uv.lock", "CHANGELOG.md"):
        assert (project / name).read_text() == "# mine\n"


OWNERS = {
    "app/project.py": ("routers=(),", "routers=[],", "routers=(OURS,),"),
    "app/project_commands.py": ("...] = ()", "...] = tuple()", "...] = (ours,)"),
}
"""The owner's files: a text of each, what a later version has instead, and what the owner has."""


@pytest.mark.deep
@pytest.mark.parametrize("version", RELEASES)
def test_owners_files_come_with_an_update_and_stay(
    releases: Path, tmp_path: Path, version: str
) -> None:
    """No later version, and no feature that is turned on or off, changes what their owner wrote."""
    project = start(render_at(releases, tmp_path / "project", version, preset="minimal"))
    update(project)
    for name in OWNERS:
        assert (project / name).read_text() == (ROOT / "template" / name).read_text()

    template = tmp_path / "template"
    git(tmp_path, "clone", "--quiet", str(releases), str(template))
    for name, (old, new, _) in OWNERS.items():
        replace_in(template / "template" / name, old, new)
    commit(template, "Other files for new projects")
    git(template, "tag", LATER)
    replace_in(project / ".copier-answers.yml", str(releases), str(template))
    for name, (old, _, own) in OWNERS.items():
        replace_in(project / name, old, own)
    ours = {name: (project / name).read_text() for name in OWNERS}
    commit(project, "Ours")
    for answers in (
        {name: feature.on for name, feature in FEATURES.items()},
        {name: feature.off for name, feature in FEATURES.items()},
    ):
        update(project, **answers)
        assert answers_of(project).items() >= {"_commit": LATER, **answers}.items()
        assert {name: (project / name).read_text() for name in OWNERS} == ours
        assert not git(project, "status", "--porcelain", *OWNERS)
        commit(project)


def test_feature_turned_on_later_gets_its_table(render: Render, tools: Path) -> None:
    """`copier update -d example=true`, then `make migration`: the models say what is needed."""
    project = render(preset="minimal")
    commit(project)
    app_dev(project, "alembic", "upgrade", "head")

    update(project, example=True)
    assert answers_of(project)["example"] is True
    assert revisions(project).keys() == {"baseline.py"}
    run(project, "uv", "lock", "--offline", "--quiet")
    app_dev(project, "alembic", "revision", "--autogenerate", "-m", "add items")
    (new,) = revisions(project).keys() - {"baseline.py"}
    assert re.fullmatch(r"\d{8}_[0-9a-f]+_add_items\.py", new)
    run(project, tools / "ruff", "check")
    run(project, tools / "ruff", "format", "--check")
    app_dev(project, "alembic", "upgrade", "head")
    app_dev(project, "alembic", "check")


@pytest.mark.deep
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


STORE = (
    """INSERT INTO user_sessions (id, user_id, refresh_hash, expires_at)
    SELECT gen_random_uuid(), id, 'hash', now() + interval '7 days' FROM users""",
    "INSERT INTO items (title, owner_id) SELECT 'from before', id FROM users",
)
"""A session, and an item."""


@pytest.mark.deep
@pytest.mark.parametrize("version", RELEASES)
def test_rows_of_a_release_stay(releases: Path, tmp_path: Path, version: str) -> None:
    """What is new in the models fits what an old service has stored."""
    project = start(render_at(releases, tmp_path / "project", version, preset="standard"))
    app_dev(project, "alembic", "upgrade", "head")
    app_dev(project, *CREATE_ADMIN)

    update(project)
    run(project, "uv", "lock", "--offline", "--quiet")
    for statement in STORE:  # the schema is still that of the release
        query(project, statement)
    app_dev(project, "alembic", "revision", "--autogenerate", "-m", "update")
    app_dev(project, "alembic", "upgrade", "head")
    app_dev(project, "alembic", "check")
    stored = query(
        project,
        "SELECT username, title, authenticated_at FROM users "
        "JOIN items ON owner_id = users.id JOIN user_sessions ON user_id = users.id",
    )
    assert stored == "[('ada', 'from before', None)]"


@pytest.mark.deep
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


@pytest.mark.deep
def test_make_template_update(later: Path, tmp_path: Path) -> None:
    """For users who only have uv: it updates, locks, and reports conflicts."""
    project = start(render_at(later, tmp_path / "project", "1.0.0", preset="minimal"))
    run(project, "make", "template-update", "ARGS=-d redis=true")
    assert answers_of(project).items() >= {"redis": True, "_commit": "2.0.0"}.items()
    run(project, "uv", "lock", "--check", "--offline", "--quiet")

    git(project, "checkout", "--quiet", "--force", "HEAD")
    git(project, "clean", "--quiet", "--force", "-d")
    replace_in(project / "Makefile", "Everything one does", "Whatever we do")
    commit(project)
    with pytest.raises(
        pytest.fail.Exception, match=r"UU Makefile\n(?s:.)*Resolve what has conflicts"
    ):
        run(project, "make", "template-update")
