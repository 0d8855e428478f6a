"""Routes of the items that do not need a permission."""

PUBLIC: frozenset[str] = frozenset()
"""They need no login."""

FOR_ANY_ACCOUNT = frozenset(
    {
        "GET /api/v1/items/",
        "POST /api/v1/items/",
        "POST /api/v1/items/import",
        "GET /api/v1/items/{item_id}",
        "PUT /api/v1/items/{item_id}",
        "DELETE /api/v1/items/{item_id}",
        "GET /api/v2/items/",
    }
)
"""They need a login, but no permission."""
