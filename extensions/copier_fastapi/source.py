"""Finding the template and reading its files."""

import json
import tempfile
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

from copier_fastapi.errors import RefusedError
from copier_fastapi.git import git
from copier_fastapi.project import Project


def resolve(source: str) -> str:
    """Return the source as a URL or an absolute path.

    Raises:
        RefusedError: if there is no template at the path.
    """
    if _is_remote(source):
        return source
    path = Path(source).expanduser().resolve()
    if not (path / "copier.yml").is_file() and not path.is_file():
        raise RefusedError(f"there is no template at {source}: say where it is by --template")
    return str(path)


def of(project: Project, template: str = "") -> str:
    """Return the place of a project's template: `template`, or the recorded one.

    Raises:
        RefusedError: if there is no template.
    """
    source = template or project.source
    if not template and not _is_remote(source) and not source.startswith(("/", "~")):
        raise RefusedError(
            f"the project records its template by a relative path, {source!r}: "
            "say where it is by --template"
        )
    return resolve(source)


def own() -> str:
    """Return the template that this command was installed from (PEP 610).

    Raises:
        RefusedError: if it came from a package index, which records no source.
    """
    origin = json.loads(distribution("copier-fastapi").read_text("direct_url.json") or "{}")
    if "dir_info" not in origin and "vcs_info" not in origin:
        raise RefusedError("say where the template is by --template: a directory or a git URL")
    url: str = origin["url"]
    parts = urlsplit(url)
    return resolve(unquote(parts.path)) if parts.scheme == "file" else f"git+{url}"


def read_at(url: str, version: str, path: str) -> bytes:
    """Return a file of a template's repository at a version; empty if there is none.

    Raises:
        RefusedError: if git cannot read the repository.
    """
    with tempfile.TemporaryDirectory(prefix="copier-fastapi.") as temporary:
        directory = Path(temporary)
        partial = ("--filter=blob:none",) if _is_remote(url) else ()
        git(directory, "clone", "--quiet", "--no-checkout", *partial, "--", url, "template")
        clone = directory / "template"
        if not git(clone, "ls-tree", version, "--", path):
            return b""
        return git(clone, "cat-file", "blob", f"{version}:{path}")


def _is_remote(source: str) -> bool:
    return "://" in source or source.startswith(("gh:", "gl:", "git@", "git+"))
