"""Metrics of the accounts."""

from prometheus_client import Counter

SECURITY_EVENTS = Counter("fastapi_security_events", "Lines of the audit trail.", ["event"])
