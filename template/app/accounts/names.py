"""Usernames and e-mail addresses: which are equal, and which are refused."""

import re
import unicodedata

MIN_USERNAME = 3
MAX_USERNAME = 32
USERNAME_PATTERN = "^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$"
"""The rule for new usernames, as the OpenAPI document publishes it."""

RESERVED_NAMES = frozenset(
    {
        "abuse", "account", "accounts", "admin", "administrator", "anonymous", "api", "auth",
        "billing", "help", "hostmaster", "info", "mail", "me", "moderator", "nobody", "noreply",
        "no-reply", "null", "official", "operator", "owner", "postmaster", "root", "security",
        "staff", "superuser", "support", "sysadmin", "system", "undefined", "user", "users",
        "webmaster",
    }
)  # fmt: skip
"""Names that could be mistaken for the service itself (some are in RFC 2142)."""


def name_key(name: str) -> str:
    """Return the key that all spellings of one name share, such as `ＡＤＡ` and `ada`.

    It applies compatibility normalisation and case folding (UAX #15, NFKC). Dots and plus signs
    stay: their meaning depends on the mail provider.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def parse_username(name: str) -> str:
    """Return `name` if a new username may be so.

    Only ASCII: letters of other alphabets, dotless letters and combining marks look like it (UTS
    #39). A separator stands alone and inside, so that no dot at an end makes another name. Without
    `@`, it differs from any e-mail address.

    Raises:
        ValueError: it is shorter, longer, has other characters, or looks like a reserved name.
    """
    if not MIN_USERNAME <= len(name) <= MAX_USERNAME:
        raise ValueError(f"must have {MIN_USERNAME} to {MAX_USERNAME} characters")
    if not re.fullmatch(USERNAME_PATTERN, name):
        raise ValueError(
            "must be made of the letters a to z, digits, and single dots, hyphens or underscores "
            "between them"
        )
    if _look(name) in map(_look, RESERVED_NAMES):
        raise ValueError("is reserved")
    return name


def _look(name: str) -> str:
    """Return the same text for names that look alike in ASCII, such as `ad.min` and `ADM1N`."""
    bare = re.sub("[._-]", "", name.lower())
    return bare.replace("rn", "m").replace("vv", "w").translate(str.maketrans("01i", "oll"))
