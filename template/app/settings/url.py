"""Rules of all URLs that are settings."""

import re


def require_escapes(url: str) -> None:
    """Check that all programs see the same user, password and host in `url` (RFC 3986).

    An unescaped `@`, `/`, `?` or `#` in a password ends it early. Its rest would be taken for the
    host, and be shown in errors.

    Raises:
        ValueError: it has such a character; the message has no part of the URL.
    """
    before, at, _ = url.partition("://")[2].rpartition("@")
    if (at and re.search("[@/?#]", before)) or "#" in url:
        raise ValueError(
            "has an unescaped @, /, ? or #: percent-encode it in user and password, as %40, %2F, "
            "%3F or %23"
        )
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ValueError("has an unescaped space or line break: percent-encode it, as %20")


def require_host_name(host: str) -> None:
    """Check that `host` can be asked for in DNS. An IP address can.

    Raises:
        ValueError: it cannot: a label, a part between dots, is empty or longer than 63 characters.
    """
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError("has an impossible host name") from None
