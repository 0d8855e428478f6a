"""Routes of the metrics that do not need a permission."""

PUBLIC = frozenset({"GET /metrics"})
"""They need no login, unless METRICS_TOKEN is set."""

FOR_ANY_ACCOUNT: frozenset[str] = frozenset()
"""They need a login, but no permission."""
