"""The cases of items."""

import json

from dev.bench.case import CLIENTS, Case, Request, get
from dev.bench.client import ask
from dev.bench.servers import Server


def build_cases(service: Server) -> list[Case]:
    """Create an item by each client at the service, and return the cases."""
    body = json.dumps({"title": "Atlas", "description": "Maps.", "attributes": {"pages": 64}})
    headers = {"Content-Type": "application/json"}
    created = [
        json.loads(ask(service.port, Request("/api/v1/items/", client, "POST", body, headers)))
        for client in CLIENTS
    ]
    one, page = get(f"/api/v1/items/{created[0]['id']}"), get("/api/v1/items/")
    return [
        Case("items/{id}", one, one, per_second=50),
        Case("items/", page, page, per_second=50),
    ]
