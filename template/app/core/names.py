"""Usernames and e-mail addresses: when two are the same, and which are refused."""

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
"""Names that would speak for the service itself (RFC 2142 has some of them)."""

# Alphabets that share shapes: an а of Cyrillic in "аdmin" looks like Latin's.
_LOOKALIKES = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC")


def name_key(name: str) -> str:
    """Return what two spellings of one name have in common, such as `ＡＤＡ` and `ada`.

    NFKC and case folding, as Unicode's identifier caseless matching (UAX #15, UAX #31) has it. Dots
    and plus signs stay: what they mean is the mail provider's business.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def parse_username(name: str) -> str:
    """Return `name` in its normal form.

    Only letters, digits and `._-`, so it can hold no `@` and never be taken for an e-mail address.

    Raises:
        ValueError: it has other characters, speaks for the service, or mixes alphabets that look
            alike (a simple form of UTS #39). A name that is wholly in another alphabet passes.
    """
    name = unicodedata.normalize("NFKC", name)
    if len(name) > MAX_USERNAME:
        raise ValueError(f"must not be longer than {MAX_USERNAME} characters")
    if not all(unicodedata.category(char)[0] in "LMN" or char in "._-" for char in name):
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
