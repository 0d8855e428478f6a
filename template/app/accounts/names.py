"""Usernames and e-mail addresses: which are equal, and which are refused."""

import unicodedata

MAX_USERNAME = 32

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

# Invisible letters and marks (Default_Ignorable_Code_Point in Unicode's data).
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5").union(
    map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)

# Look-alike alphabets: the Cyrillic а in "аdmin" looks like the Latin one.
_LOOKALIKES = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC")


def name_key(name: str) -> str:
    """Return the key that all spellings of one name share, such as `ＡＤＡ` and `ada`.

    It applies compatibility normalisation and case folding (UAX #15, NFKC). Dots and plus signs
    stay: their meaning depends on the mail provider.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def parse_username(name: str) -> str:
    """Return `name` in its normal form.

    It has only visible letters, digits and `._-`. Without `@`, it differs from any e-mail address.

    Raises:
        ValueError: it has other characters, is reserved, or mixes alphabets that look alike (a
            simple form of UTS #39). A name entirely in another alphabet is accepted.
    """
    name = unicodedata.normalize("NFKC", name)
    if len(name) > MAX_USERNAME:
        raise ValueError(f"must not be longer than {MAX_USERNAME} characters")
    if not all(map(_is_allowed, name)):
        raise ValueError("must be made of letters, digits, dots, hyphens and underscores")
    if unicodedata.category(name[0])[0] not in "LN":
        raise ValueError("must begin with a letter or a digit")
    key = name_key(name)
    if key in RESERVED_NAMES:
        raise ValueError("is reserved")
    alphabets = {unicodedata.name(char, "").partition(" ")[0] for char in key}
    if len(alphabets.intersection(_LOOKALIKES)) > 1:
        raise ValueError("must not mix alphabets that look alike")
    return name


def _is_allowed(char: str) -> bool:
    if char in "._-":
        return True
    return unicodedata.category(char)[0] in "LMN" and char not in _INVISIBLE
