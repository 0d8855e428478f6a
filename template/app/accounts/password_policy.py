"""Rules for passwords (OWASP ASVS 6.2): length and rarity count, not composition."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from app import PROJECT_NAME, PROJECT_SLUG
from app.accounts.names import name_key

MIN_LENGTH = 8
MAX_LENGTH = 128
"""Long enough for any phrase; longer ones would help to overload the service."""


def refuse_guessable(password: str, names: Iterable[str] = ()) -> None:
    """Refuse passwords that an attacker would try first.

    Raises:
        ValueError: it is one of the most common passwords, the name of the service, or one of
            `names`, the account's own (including its address without the domain).
    """
    key = name_key(password)
    if key in common_passwords():
        raise ValueError("is one of the most common passwords")
    forbidden = {PROJECT_NAME, PROJECT_SLUG}
    for name in names:
        forbidden |= {name, name.partition("@")[0]}
    if key in map(name_key, forbidden):
        raise ValueError("must not be a name of the account or of the service")


@cache
def common_passwords() -> frozenset[str]:
    """Return the list, read once. Its origin and licence are at its head."""
    lines = files("app.accounts").joinpath("common_passwords.txt").read_text("utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))
