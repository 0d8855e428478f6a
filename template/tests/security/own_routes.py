"""Routes of this project that do not need a permission. No update changes this file."""

PUBLIC: frozenset[str] = frozenset()
"""They need no login."""

FOR_ANY_ACCOUNT: frozenset[str] = frozenset()
"""They need a login, but no permission."""
