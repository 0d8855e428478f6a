"""`.env`, with secrets that nobody else has."""

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

import click


def create_dotenv(project: Path) -> None:
    """Create `.env` from `.env.example` if it is missing, a fresh secret for each placeholder.

    `DATABASE_URL` stays empty: it comes with the server that it names.
    """
    path = project / ".env"
    if path.exists():
        return
    text = (project / ".env.example").read_text(encoding="utf-8")
    text = re.sub("^DATABASE_URL=.*", "DATABASE_URL=", text, flags=re.MULTILINE)
    text = re.sub("(?<==)change-me$", lambda _: secrets.token_urlsafe(32), text, flags=re.MULTILINE)
    unfinished = project / f".env.{os.getpid()}"
    unfinished.touch(mode=0o600)
    unfinished.write_text(text, encoding="utf-8")
    with suppress(FileExistsError):  # another command was faster
        path.hardlink_to(unfinished)
    unfinished.unlink()
    click.echo("Created .env with fresh secrets.", err=True)


if __name__ == "__main__":
    create_dotenv(Path.cwd())
