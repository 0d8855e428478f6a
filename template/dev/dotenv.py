"""`.env`, with secrets of its own."""

import os
import re
import secrets
import sys
from contextlib import suppress
from pathlib import Path

import click
from dotenv import dotenv_values, set_key

_PLACEHOLDER = re.compile("^([A-Z0-9_]+)=change-me$", re.MULTILINE)


def provide_dotenv(project: Path) -> None:
    """Ensure that `.env` exists, with a secret for each placeholder of `.env.example`.

    A new one is a copy without URLs, which are added with the servers that they name. An existing
    one keeps its contents, and gets the secrets of features that were turned on since. One that
    cannot be read ends the program.
    """
    path, example = project / ".env", (project / ".env.example").read_text(encoding="utf-8")
    if path.exists():
        missing = set(_PLACEHOLDER.findall(example)) - _read(path).keys()
        for name in sorted(missing):
            set_key(path, name, secrets.token_urlsafe(32), quote_mode="never")
            click.echo(f"Added {name} to .env, with a fresh secret.", err=True)
        return
    text = re.sub("^([A-Z]+_URL)=.*", r"\1=", example, flags=re.MULTILINE)
    text = _PLACEHOLDER.sub(lambda found: f"{found[1]}={secrets.token_urlsafe(32)}", text)
    unfinished = project / f".env.{os.getpid()}"
    unfinished.touch(mode=0o600)
    unfinished.write_text(text, encoding="utf-8")
    with suppress(FileExistsError):  # another command was faster
        path.hardlink_to(unfinished)
    unfinished.unlink()
    click.echo("Created .env with fresh secrets.", err=True)


def _read(path: Path) -> dict[str, str | None]:
    try:
        return dotenv_values(path)
    except OSError as error:
        sys.exit(f"{path} cannot be read: {error.strerror}.")
    except UnicodeDecodeError:
        sys.exit(f"{path} cannot be read: it is not UTF-8.")


if __name__ == "__main__":
    provide_dotenv(Path.cwd())
