"""The command `copier-fastapi`: it names what it refuses, and loses nothing."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from operator import methodcaller
from pathlib import Path

import pytest
from copier import VcsRef, run_copy

from copier_fastapi.errors import RefusedError
from copier_fastapi.project import Project
from copier_fastapi.rehearsal import rehearse
from tests.support.files import replace_in
from tests.support.projects import (
    COMMAND,
    answers_of,
    copier_fastapi,
    files_of,
    from_template,
    is_committed,
    resolve,
    start,
    unmerged,
    update,
)
from tests.support.shell import commit, git, run

pytestmark = pytest.mark.living

REFUSED, MISREAD, UNFINISHED = (1,), (2,), (3,)

NewProject = Callable[..., Path]

MOVES = """
"1.0.0":
  moves:
    alembic.ini: before/its/time.ini
"2.0.0":
  moves:
    alembic.ini: database.ini
  removals:
    SETUP.md: README.md says it now.
"3.0.0":
  moves:
    app/api/docs.py: app/pages/offline.py
    app/db/errors.py: app/db/failures.py
    database.ini: settings/database.ini
  renames:
    app.api.docs.add_docs: app.pages.offline.add_pages
  removals:
    app.api.docs.ASSETS: Nothing else needs it.
"""


@pytest.fixture(scope="module")
def started(later: Path, tmp_path_factory: pytest.TempPathFactory) -> NewProject:
    """Render a project at 1.0.0, of which there is a 2.0.0, once for all that start from it."""

    @cache
    def started(**answers: object) -> Path:
        project = tmp_path_factory.mktemp("started") / "project"
        run_copy(str(later), project, data=answers, vcs_ref="1.0.0", defaults=True, quiet=True)
        return start(project)

    return started


@pytest.fixture
def new_project(started: NewProject, tmp_path: Path) -> NewProject:
    """Start a project of one's own, at 1.0.0."""

    def new_project(directory: Path | None = None, **answers: object) -> Path:
        project = directory or tmp_path / "project"
        shutil.copytree(started(**answers), project, symlinks=True, dirs_exist_ok=True)
        return project

    return new_project


@pytest.fixture
def project(new_project: NewProject) -> Path:
    return new_project(preset="minimal")


@pytest.fixture
def moving(later: Path, tmp_path: Path) -> Path:
    """Make a 3.0.0 of the template, which moves files."""
    template = tmp_path / "moving"
    git(tmp_path, "clone", "--quiet", str(later), str(template))
    (template / "extensions" / "moves.yml").write_text(MOVES)
    source = template / "template"
    for old, new in (
        ("app/api/docs.py", "app/pages/offline.py"),
        ("app/db/errors.py", "app/db/failures.py"),
        ("database.ini", "settings/database.ini"),
    ):
        (source / new).parent.mkdir(exist_ok=True)
        (source / old).rename(source / new)
    replace_in(source / "app" / "pages" / "offline.py", "add_docs", "add_pages")
    replace_in(source / "app" / "pages" / "offline.py", "ASSETS", "_ASSETS")
    commit(template, "Move")
    git(template, "tag", "3.0.0")
    return template


def state(project: Path) -> tuple[dict[str, bytes], str]:
    """Return all that must not change when something is refused."""
    return files_of(project), git(project, "status", "--porcelain", "--ignored")


class TestNew:
    def test_it_renders_what_is_answered_and_says_what_comes_next(
        self, later: Path, tmp_path: Path
    ) -> None:
        answers = ("-d", "preset=minimal", "-d", "redis=yes", "-d", "project_name=Book Shop")
        directory = tmp_path / "a shop"
        printed = copier_fastapi(
            tmp_path, "new", directory, "--defaults", "--template", later, *answers
        )
        recorded = answers_of(directory)
        assert recorded.items() >= {"redis": True, "auth": False, "_commit": "2.0.0"}.items()
        assert recorded["_src_path"] == str(later)
        (commands,) = re.findall(r"Next:\n\n((?: {4}.*\n)+)", printed)
        first, second, *_ = commands.splitlines()
        run(tmp_path, "sh", "-c", f"{first} && pwd && git init --quiet && git add --all")
        assert "git commit" in second

    def test_it_goes_to_the_version_that_is_asked_for(self, later: Path, tmp_path: Path) -> None:
        copier_fastapi(tmp_path, "new", "it", "--defaults", "--to=1.0.0", "--template", later)
        assert answers_of(tmp_path / "it")["_commit"] == "1.0.0"

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            ("exmaple=true", "no question 'exmaple'; did you mean 'example'?"),
            ("ci=githb", "ci cannot be 'githb'; did you mean 'github'?"),
            ("redis=maybe", "redis cannot be 'maybe'. It takes true or false"),
            ("redis", "'redis' is no answer: write question=answer"),
            ("project_slug=A b", "project_slug"),
        ],
    )
    def test_a_wrong_answer_is_named(
        self, later: Path, tmp_path: Path, answer: str, message: str
    ) -> None:
        printed = copier_fastapi(
            *(tmp_path, "new", "it", "--defaults", "--template", later, "-d", answer),
            status=REFUSED,
        )
        assert message in printed
        assert not (tmp_path / "it").exists()

    def test_what_is_there_stays(self, later: Path, tmp_path: Path) -> None:
        (tmp_path / "it").mkdir()
        (tmp_path / "it" / "README.md").write_text("mine")
        printed = copier_fastapi(
            *(tmp_path, "new", "it", "--defaults", "--template", later), status=REFUSED
        )
        assert "it exists" in printed
        assert (tmp_path / "it" / "README.md").read_text() == "mine"

    def test_a_template_with_changes_is_refused(self, later: Path, tmp_path: Path) -> None:
        """What is not committed cannot be found again, so no update could start from it."""
        template = tmp_path / "template"
        git(tmp_path, "clone", "--quiet", "--no-tags", str(later), str(template))
        (template / "template" / "new.txt").write_text("new\n")
        printed = copier_fastapi(
            *(tmp_path, "new", "it", "--defaults", "--template", template), status=REFUSED
        )
        assert "has changes that are not committed" in printed
        assert not (tmp_path / "it").exists()

    def test_no_template_there(self, tmp_path: Path) -> None:
        printed = copier_fastapi(
            tmp_path, "new", "it", "--defaults", "--template", tmp_path, status=REFUSED
        )
        assert f"there is no template at {tmp_path}: say where it is by --template" in printed


class TestFeatures:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["add", "redsi"], "no feature 'redsi'; did you mean 'redis'?"),
            (["add", "github"], "no feature 'github'; did you mean 'ci=github'?"),
            (["add", "ci"], "write ci=github or ci=gitlab"),
            (["add", "ci=githubb"], "did you mean 'github'?"),
            (["add", "ci=none"], "'ci=none' turns ci off: use `remove ci`"),
            (["remove", "everything"], "There are: auth, example, redis"),
            (["update", "-d", "redsi=true"], "did you mean 'redis'?"),
            (["update", "-d", "preset=full"], "use `add` and `remove`"),
        ],
    )
    def test_an_unknown_one_is_named(
        self, project: Path, arguments: list[str], message: str
    ) -> None:
        before = state(project)
        assert message in copier_fastapi(project, *arguments, status=REFUSED)
        assert state(project) == before

    def test_several_at_once_with_a_lock_that_holds(self, project: Path) -> None:
        """The version of the template stays, although there is a newer one."""
        printed = copier_fastapi(project, "add", "redis", "metrics", "ci=gitlab")
        assert "redis: off -> on" in printed
        assert "ci: none -> gitlab" in printed
        recorded = answers_of(project)
        expected = {"redis": True, "metrics": True, "ci": "gitlab", "_commit": "1.0.0"}
        assert recorded.items() >= expected.items()
        run(project, "uv", "lock", "--check", "--offline", "--quiet")

    def test_on_already(self, project: Path) -> None:
        before = state(project)
        assert "Nothing to do" in copier_fastapi(project, "remove", "redis")
        assert state(project) == before

    def test_tables_ask_for_a_migration(self, project: Path) -> None:
        assert "make migration" in copier_fastapi(project, "add", "example")
        commit(project)
        assert "make migration" not in copier_fastapi(project, "add", "redis")


class TestPreview:
    def test_it_names_every_file_and_changes_none(self, new_project: NewProject) -> None:
        project = new_project(preset="standard")
        replace_in(project / "Makefile", "Everything one does", "Whatever we do")
        (project / "SETUP.md").write_text("ours\n")
        commit(project)
        before = state(project)
        printed = copier_fastapi(project, "update", "--preview", status=UNFINISHED)
        assert state(project) == before
        for line in (
            "The template goes from 1.0.0 to 2.0.0.",
            "  new       app/utils/later.py",
            "  changed   app/core/events.py",
            "  gone      alembic.ini",
            "  gone      SETUP.md",
            "  conflict  Makefile",
            "  kept      SETUP.md as SETUP.md.kept",
        ):
            assert f"{line}\n" in printed

        done = copier_fastapi(project, "update", status=UNFINISHED)
        kinds = "new|changed|gone|conflict|kept"
        assert re.findall(rf"  (?:{kinds}) +\S+", done) == re.findall(
            rf"  (?:{kinds}) +\S+", printed
        )
        status = git(project, "status", "--porcelain", "--untracked-files=all")
        assert len(status.splitlines()) == len(
            re.findall(rf"^  (?:{kinds}) ", printed, re.MULTILINE)
        )


class TestGuard:
    """Each of these is lost, or left in silence, by `copier update` alone."""

    def test_edited_file_that_leaves_is_kept(self, new_project: NewProject) -> None:
        project = new_project(preset="minimal", redis=True)
        cache = project / "app" / "core" / "cache.py"
        cache.write_text(ours := cache.read_text() + "\n# ours\n")
        compiled = project / "tests" / "redis" / "__pycache__"
        compiled.mkdir()
        (compiled / "conftest.pyc").write_bytes(b"")
        commit(project)
        printed = copier_fastapi(project, "remove", "redis", status=UNFINISHED)
        assert "app/core/cache.py.kept is app/core/cache.py as you had it" in printed
        assert not cache.exists()
        assert not compiled.parent.exists()
        assert (project / "app" / "core" / "cache.py.kept").read_text() == ours

    def test_edit_that_is_overwritten_is_kept(self, new_project: NewProject) -> None:
        """Copier cannot merge what git takes for binary, such as UTF-16."""
        project = new_project(preset="standard")
        passwords = project / "app" / "accounts" / "common_passwords.txt"
        passwords.write_bytes(ours := "ours\n".encode("utf-16"))
        commit(project)
        printed = copier_fastapi(project, "update", status=UNFINISHED)
        assert "common_passwords.txt.kept" in printed
        assert passwords.with_name("common_passwords.txt.kept").read_bytes() == ours

    def test_ignored_file_in_the_way_is_kept(self, project: Path) -> None:
        """Git cannot bring it back."""
        append(project / ".gitignore", "later.py\n")
        commit(project)
        ours = project / "app" / "utils" / "later.py"
        ours.write_text("ours = 1\n")
        printed = copier_fastapi(project, "update", status=UNFINISHED)
        assert "app/utils/later.py.kept" in printed
        assert ours.with_name("later.py.kept").read_text() == "ours = 1\n"
        assert ours.read_text() == '"""What is new."""\n'

    @pytest.mark.deep
    def test_ignored_file_of_the_template_is_left_alone(self, project: Path) -> None:
        git(project, "rm", "--cached", "--quiet", "Makefile")
        append(project / ".gitignore", "/Makefile\n")
        (project / "Makefile").write_text("ours:\n")
        commit(project)
        copier_fastapi(project, "update")
        assert (project / "Makefile").read_text() == "ours:\n"

    def test_nothing_that_was_kept_before_is_overwritten(self, new_project: NewProject) -> None:
        project = new_project(preset="standard")
        (project / "SETUP.md").write_text("ours\n")
        (project / "SETUP.md.kept").write_text("from before\n")
        commit(project)
        copier_fastapi(project, "update", status=UNFINISHED)
        assert (project / "SETUP.md.kept").read_text() == "from before\n"
        assert (project / "SETUP.md.kept2").read_text() == "ours\n"

    @pytest.mark.deep
    def test_directory_in_the_way_is_refused(self, project: Path) -> None:
        append(project / ".gitignore", "later.py\n")
        commit(project)
        (project / "app" / "utils" / "later.py").mkdir()
        (project / "app" / "utils" / "later.py" / "mine.txt").write_text("mine")
        before = state(project)
        printed = copier_fastapi(project, "update", status=REFUSED)
        assert "app/utils/later.py is a directory that git ignores" in printed
        assert state(project) == before

    def test_conflict_is_left_to_its_owner_and_git_commits_none(self, project: Path) -> None:
        replace_in(project / "Makefile", "Everything one does", "Whatever we do")
        commit(project)
        printed = copier_fastapi(project, "update", status=UNFINISHED)
        assert "Makefile has conflicts" in printed
        assert unmerged(project) == {"Makefile"}
        text = (project / "Makefile").read_text()
        assert "# Whatever we do" in text
        assert "# All that one does" in text
        assert not is_committed(project)

        (undo,) = re.findall("Or undo the update:\n  (.*)", printed)
        run(project, "sh", "-c", undo)
        assert not git(project, "status", "--porcelain")
        assert "# Whatever we do" in (project / "Makefile").read_text()

    @pytest.mark.deep
    def test_undo_works_from_anywhere_and_spares_what_was_kept(self, project: Path) -> None:
        append(project / ".gitignore", "later.py\n")
        commit(project)
        ours = project / "app" / "utils" / "later.py"
        ours.write_text("ours = 1\n")
        before = state(project)
        printed = copier_fastapi(project / "app", "update", status=UNFINISHED)
        (undo,) = re.findall("Or undo the update:\n  (.*)", printed)
        run(project / "app", "sh", "-c", undo)
        assert state(project) == before
        assert ours.read_text() == "ours = 1\n"

    @pytest.mark.deep
    @pytest.mark.parametrize("path", ["Makefile", "new.py", "app/core/cache.py"])
    def test_what_changes_meanwhile_is_refused(self, project: Path, later: Path, path: str) -> None:
        """An editor saves while the command works, or waits for an answer."""
        here = Project.find(project)
        append(project / ".git" / "info" / "exclude", "cache.py\n")
        answer = methodcaller("turn_on", ["redis"])
        with rehearse(here, answer, VcsRef.CURRENT, str(later), print) as rehearsal:
            (project / path).write_text("saved meanwhile\n")
            before = state(project)
            with pytest.raises(RefusedError, match=r"meanwhile|commit or stash"):
                rehearsal.apply()
        assert state(project) == before

    @pytest.mark.deep
    def test_git_configuration_that_hides_files_changes_nothing(
        self, project: Path, tmp_path: Path
    ) -> None:
        """Copier would neither find its conflicts nor the owner's new files."""
        config = tmp_path / "gitconfig"
        config.write_text("[status]\n\tshowUntrackedFiles = no\n")
        replace_in(project / "Makefile", "Everything one does", "Whatever we do")
        commit(project)
        (project / "draft.md").write_text("a draft\n")
        environment = {"GIT_CONFIG_GLOBAL": str(config)}
        refused = copier_fastapi(project, "update", status=REFUSED, **environment)
        assert "  draft.md\n" in refused
        (project / "draft.md").unlink()
        copier_fastapi(project, "update", status=UNFINISHED, **environment)
        assert unmerged(project) == {"Makefile"}
        assert not list(project.rglob("*.rej"))

    @pytest.mark.deep
    def test_hook_of_a_repository_may_call_it(self, project: Path, tmp_path: Path) -> None:
        """Git passes repository and index to its hooks."""
        other = tmp_path / "other"
        other.mkdir()
        git(other, "init", "--quiet")
        before = state(project)
        for name, value in (("GIT_INDEX_FILE", project / ".git" / "index"), ("GIT_DIR", other)):
            copier_fastapi(project, "add", "redis", "--preview", status=(0,), **{name: str(value)})
            assert state(project) == before

    @pytest.mark.deep
    def test_directory_in_the_place_of_a_file_is_refused(self, project: Path) -> None:
        (project / "Makefile").unlink()
        (project / "Makefile").mkdir()
        (project / "Makefile" / "part").write_text("a\n")
        commit(project)
        printed = copier_fastapi(project, "update", status=REFUSED)
        assert "Makefile is a file in the template" in printed

    @pytest.mark.deep
    def test_name_that_is_no_text_is_refused(self, project: Path) -> None:
        Path(os.fsdecode(bytes(project) + b"/bad\xff.txt")).write_text("a\n")
        commit(project)
        printed = copier_fastapi(project, "update", status=REFUSED)
        assert "Copier needs names in UTF-8; rename these:\n  'bad\\udcff.txt'" in printed

    @pytest.mark.deep
    def test_done_is_done_when_nobody_reads_on(self, project: Path) -> None:
        command = f"{COMMAND} add redis 2>/dev/null | head -1; exit ${{PIPESTATUS[0]}}"
        run(project, "bash", "-c", command)
        assert answers_of(project)["redis"] is True

    def test_dirty_project_is_refused(self, project: Path) -> None:
        (project / "Makefile").write_text("ours:\n")
        (project / "new.py").write_text("")
        before = state(project)
        printed = copier_fastapi(project, "add", "redis", status=REFUSED)
        assert "commit or stash your changes first:\n  Makefile\n  new.py\n" in printed
        assert state(project) == before

    @pytest.mark.deep
    @pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
    def test_change_that_git_was_told_to_overlook_is_refused(
        self, project: Path, flag: str
    ) -> None:
        git(project, "update-index", flag, "Makefile")
        (project / "Makefile").write_text("ours:\n")
        printed = copier_fastapi(project, "update", status=REFUSED)
        assert "git hides changes of these files" in printed
        assert "  Makefile\n" in printed
        assert (project / "Makefile").read_text() == "ours:\n"

    @pytest.mark.deep
    def test_project_without_a_commit_is_refused(self, project: Path) -> None:
        shutil.rmtree(project / ".git")
        assert "no commit to come back to" in copier_fastapi(project, "update", status=REFUSED)
        git(project, "init", "--quiet")
        assert "no commit to come back to" in copier_fastapi(project, "update", status=REFUSED)

    def test_import_of_what_leaves_is_named(self, new_project: NewProject) -> None:
        """A module, a name of one, and both by a relative import."""
        project = new_project(preset="minimal", redis=True)
        own = project / "app" / "core" / "own.py"
        own.write_text(
            "import app.core.cache\n"
            "from .cache import cached\n"
            "from . import cache_key\n"
            "from app.core.events import build_lifespan\n"
        )
        commit(project)
        printed = copier_fastapi(project, "remove", "redis", status=UNFINISHED)
        named = re.findall(r"app/core/own\.py:(\d) imports (\S+),", printed)
        assert named == [
            ("1", "app.core.cache"),
            ("2", "app.core.cache.cached"),
            ("3", "app.core.cache_key"),
        ]

    @pytest.mark.deep
    def test_lock_that_cannot_be_renewed_is_named(self, project: Path, tmp_path: Path) -> None:
        environment = {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "empty")}
        printed = copier_fastapi(project, "add", "redis", status=UNFINISHED, **environment)
        assert "uv.lock is behind pyproject.toml, run `uv lock`:" in printed
        assert answers_of(project)["redis"] is True

    @pytest.mark.deep
    def test_lock_of_a_workspace_is_named(self, new_project: NewProject, tmp_path: Path) -> None:
        """It lies above the project, where the command changes nothing."""
        git(tmp_path, "init", "--quiet")
        project = new_project(tmp_path / "services" / "shop", preset="minimal")
        shutil.rmtree(project / ".git", ignore_errors=True)
        workspace = "[tool.uv.workspace]\nmembers = ['services/*']\n"
        (tmp_path / "pyproject.toml").write_text(workspace)
        run(tmp_path, "uv", "lock", "--quiet")
        commit(tmp_path, "A workspace")
        printed = copier_fastapi(project, "add", "redis", status=UNFINISHED)
        assert "run `uv lock`: uv.lock is the workspace's" in printed


class TestUpdate:
    def test_twenty_edits_two_toggles_one_update(self, new_project: NewProject) -> None:
        """Whatever its owner wrote is in place, or named and kept."""
        project = new_project(preset="standard")
        edits = [
            *("README.md", "SETUP.md", "CONTRIBUTING.md", "Makefile", "Dockerfile"),
            *("pyproject.toml", "alembic.ini", ".env.example", "compose.yaml", ".gitignore"),
            *("app/main.py", "app/core/config.py", "app/core/events.py", "app/core/cache.py"),
            *("app/redis/client.py", "app/models/item.py", "app/services/item.py"),
            *("tests/conftest.py", "tests/redis/conftest.py", ".github/workflows/ci.yml"),
        ]
        assert len(edits) == 20
        for path in edits:
            append(project / path, f"# our own line in {path}\n")
        own = project / "app" / "services" / "own.py"
        own.write_text('"""Ours."""\n\nfrom app.core.cache import cached\n')
        commit(project, "Twenty edits")

        printed = ""
        for arguments in (["remove", "redis"], ["add", "redis"], ["update"]):
            printed += copier_fastapi(project, *arguments, status=(0, 3))
            text = b"\n".join(files_of(project).values()).decode()
            for path in edits:
                assert f"# our own line in {path}\n" in text, path
            resolve(project)
            commit(project, " ".join(arguments))

        assert "app/services/own.py:3 imports app.core.cache" in printed
        kept = {path for path in files_of(project) if path.endswith(".kept")}
        left = ("SETUP.md", "alembic.ini", "app/core/cache.py", "app/redis/client.py")
        assert kept == {f"{path}.kept" for path in (*left, "tests/redis/conftest.py")}
        assert all(
            f"{path} is {path.removesuffix('.kept')} as you had it" in printed for path in kept
        )
        assert answers_of(project)["_commit"] == "2.0.0"
        assert "closed in the end" in (project / "app" / "core" / "events.py").read_text()

    def test_untouched_project_becomes_what_a_new_one_is(
        self, new_project: NewProject, later: Path, tmp_path: Path
    ) -> None:
        project = new_project()
        copier_fastapi(project, "update")
        fresh = tmp_path / "fresh"
        run_copy(str(later), fresh, vcs_ref="2.0.0", defaults=True, quiet=True)
        assert from_template(project) == from_template(start(fresh))
        assert answers_of(project) | {"jobs": True} == answers_of(fresh)

    def test_it_does_what_copier_does(self, new_project: NewProject, tmp_path: Path) -> None:
        """Plain `copier update` comes to the same, where there is nothing to lose."""
        project = new_project(preset="standard")
        replace_in(project / "Makefile", "Everything one does", "Whatever we do")
        replace_in(project / "app" / "core" / "events.py", "import Any", "import Any ")
        commit(project)
        plain = tmp_path / "plain"
        git(tmp_path, "clone", "--quiet", str(project), str(plain))
        update(plain)
        copier_fastapi(project, "update", status=UNFINISHED)
        for each in (plain, project):
            (each / "uv.lock").unlink()
        assert files_of(project) == files_of(plain)
        stages = [git(each, "ls-files", "--unmerged") for each in (plain, project)]
        assert stages[0] == stages[1] != ""

    @pytest.mark.deep
    def test_file_becomes_executable(self, new_project: NewProject, later: Path) -> None:
        project = new_project(preset="minimal")
        copier_fastapi(project, "update")
        commit(project)
        template = project.parent / "t #2"
        git(project, "clone", "--quiet", str(later), str(template))
        (template / "template" / "database.ini").chmod(0o755)
        commit(template, "Executable")
        git(template, "tag", "3.0.0")
        assert "changed   database.ini" in copier_fastapi(project, "update", "--template", template)
        assert os.access(project / "database.ini", os.X_OK)

    @pytest.mark.deep
    def test_template_that_moved(self, project: Path, later: Path, tmp_path: Path) -> None:
        """A colleague has it elsewhere."""
        moved = tmp_path / "moved"
        git(tmp_path, "clone", "--quiet", str(later), str(moved))
        for source, message in (("/no/template", "no template at /no/template"), (".", "relative")):
            replace_answer(project, "_src_path", source)
            printed = copier_fastapi(project, "update", status=REFUSED)
            assert message in printed
            assert "--template" in printed
        copier_fastapi(project, "update", "--template", moved)
        assert answers_of(project).items() >= {"_src_path": str(moved), "_commit": "2.0.0"}.items()

    def test_version_that_is_not_there(self, project: Path) -> None:
        before = state(project)
        assert "9.9.9" in copier_fastapi(project, "update", "--to=9.9.9", status=REFUSED)
        replace_answer(project, "_commit", "0.0.1")
        assert "0.0.1" in copier_fastapi(project, "update", status=REFUSED)
        git(project, "reset", "--quiet", "--hard", "HEAD~1")
        assert state(project) == before

    @pytest.mark.deep
    def test_project_below_the_root_of_its_repository(
        self, new_project: NewProject, tmp_path: Path
    ) -> None:
        """What lies beside it may be dirty."""
        git(tmp_path, "init", "--quiet")
        (tmp_path / "other.txt").write_text("a\n")
        commit(tmp_path, "Others")
        project = new_project(tmp_path / "services" / "shop", preset="minimal", redis=True)
        shutil.rmtree(project / ".git", ignore_errors=True)
        append(project / "app" / "core" / "cache.py", "# ours\n")
        replace_in(project / "Makefile", "Everything one does", "Whatever we do")
        commit(tmp_path, "A service")
        (tmp_path / "other.txt").write_text("b\n")

        copier_fastapi(project / "app", "update", status=UNFINISHED)
        assert unmerged(project) == {"services/shop/Makefile"}
        assert (project / "app" / "utils" / "later.py").exists()
        git(project, "checkout", "--ours", "Makefile")
        commit(tmp_path, "Update")
        copier_fastapi(project, "remove", "redis", status=UNFINISHED)
        assert (project / "app" / "core" / "cache.py.kept").exists()
        assert not (project / "app" / "core" / "cache.py").exists()

    def test_edited_file_that_moved_is_kept_and_its_new_place_is_named(
        self, project: Path, moving: Path
    ) -> None:
        """Over two versions, each of which moved files."""
        edited = ("alembic.ini", "SETUP.md", "app/api/docs.py")
        for path in edited:
            append(project / path, f"# our own line in {path}\n")
        own = project / "app" / "services" / "own.py"
        names = ("HEADERS", "add_docs", "ASSETS")
        own.write_text("".join(f"from app.api.docs import {name}\n" for name in names))
        (project / "app" / "db" / "errors.py").unlink()
        commit(project)

        printed = copier_fastapi(project, "update", "--template", moving, status=UNFINISHED)
        for line in (
            "  back      app/db/errors.py as app/db/failures.py",
            "which you deleted, is back as app/db/failures.py: delete it again, or keep it.",
            "  moved     alembic.ini to settings/database.ini",
            "  moved     app/api/docs.py to app/pages/offline.py",
            "  gone      SETUP.md",
            "  alembic.ini moved to settings/database.ini: your version is alembic.ini.kept.",
            "docs.py moved to app/pages/offline.py: your version is app/api/docs.py.kept.",
            "    Make your changes in app/pages/offline.py, then delete app/api/docs.py.kept.",
            "SETUP.md.kept is SETUP.md as you had it: take from it what you need, then delete it.",
            "    Why SETUP.md is gone: README.md says it now.",
            "own.py:1 imports app.api.docs.HEADERS, which is now app.pages.offline.HEADERS.",
            "own.py:2 imports app.api.docs.add_docs, which is now app.pages.offline.add_pages.",
            "own.py:3 imports app.api.docs.ASSETS, which is gone: Nothing else needs it.",
        ):
            assert f"{line}\n" in printed
        for path in edited:
            assert f"# our own line in {path}\n" in (project / f"{path}.kept").read_text()
            assert not (project / path).exists()
        assert "add_pages" in (project / "app" / "pages" / "offline.py").read_text()

    def test_moves_in_a_later_format_are_refused(self, project: Path, moving: Path) -> None:
        (moving / "extensions" / "moves.yml").write_text('"4.0.0": {copies: {a: b}}\n')
        commit(moving, "Copy")
        git(moving, "tag", "4.0.0")
        before = state(project)
        printed = copier_fastapi(project, "update", "--template", moving, status=REFUSED)
        assert "upgrade the command, then try again" in printed
        assert state(project) == before


class TestStatus:
    def test_it_tells_where_the_project_stands(self, project: Path, later: Path) -> None:
        (project / "Makefile").write_text("ours:\n")
        (project / "README.md").unlink()
        (project / "own.py").write_text("")
        before = state(project)
        printed = copier_fastapi(project, "status")
        for line in (
            f"template  {later}",
            "version   1.0.0",
            "newest    2.0.0, 6 files differ",
            "  redis       off",
            "  ci          none",
            "  edited      1",
            "  deleted     1",
            "  your own    1",
        ):
            assert f"{line}\n" in printed
        assert state(project) == before

    def test_no_project(self, tmp_path: Path) -> None:
        printed = copier_fastapi(tmp_path, "status", status=REFUSED)
        assert "is in no project: there is no .copier-answers.yml" in printed


class TestHelp:
    @pytest.mark.parametrize("command", ["new", "add", "remove", "update", "status"])
    def test_every_command_has_examples(self, tmp_path: Path, command: str) -> None:
        assert f"Examples:\n    copier-fastapi {command}" in copier_fastapi(
            tmp_path, command, "--help"
        )

    def test_exit_status_is_told(self, tmp_path: Path) -> None:
        assert "  3  done, but" in copier_fastapi(tmp_path, "--help")
        copier_fastapi(tmp_path, "udpate", status=MISREAD)
        assert re.fullmatch(r"\d+\.\d+\.\d+\n", copier_fastapi(tmp_path, "--version"))

    @pytest.mark.parametrize(
        ("words", "expected"), [("add r", "redis"), ("remove r", ""), ("ad", "add")]
    )
    def test_shell_completion(self, project: Path, words: str, expected: str) -> None:
        """The names that make sense in the project here."""
        line = f"copier-fastapi {words}"
        result = subprocess.run(
            [COMMAND],
            cwd=project,
            env=os.environ
            | {
                "_COPIER_FASTAPI_COMPLETE": "complete_bash",
                "COMP_WORDS": line,
                "COMP_CWORD": str(line.count(" ")),
            },
            capture_output=True,
            text=True,
            check=True,
        )
        assert result.stdout.split() == expected.split()


def append(file: Path, text: str) -> None:
    file.write_text(file.read_text() + text)


def replace_answer(project: Path, name: str, answer: str) -> None:
    """Change what the project remembers."""
    file = project / ".copier-answers.yml"
    text = re.sub(f"(?m)^{name}: .*$", f"{name}: {answer}", file.read_text())
    file.write_text(text)
    commit(project, f"{name} is {answer}")
