"""What Schemathesis needs to know of the service: how to log in, and where imports may lead.

It loads this module by its name in SCHEMATHESIS_HOOKS. The service is at SERVICE_URL.
"""

import itertools
import json
import os
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import schemathesis

API = os.environ["SERVICE_URL"] + "/api/v1"
ADMIN_PASSWORD = os.environ.get("ADMIN_PASSWORD")
DOCUMENT_URL = os.environ["DOCUMENT_URL"]
NUMBERS = itertools.count(1)


def call(path: str, headers: dict[str, str], body: bytes | None = None) -> dict[str, Any]:
    """Send a request from an address of its own, so that failed logins of others slow down none."""
    number = next(NUMBERS)
    origin = {"X-Forwarded-For": f"198.18.{number // 256 % 256}.{number % 256}"}
    request = Request(API + path, body, origin | headers)  # noqa: S310  # our own address
    with urlopen(request, timeout=60) as response:  # noqa: S310  # the same
        answer: dict[str, Any] = json.load(response)
        return answer


def log_in() -> str:
    """Return the access token of the admin, or of a new user."""
    name, password = "boss", ADMIN_PASSWORD
    if password is None:
        name, password = f"user-{next(NUMBERS)}", "a good pass phrase"
        account = {"email": f"{name}@example.com", "username": name, "password": password}
        call("/auth/register", {"Content-Type": "application/json"}, json.dumps(account).encode())
    form = urlencode({"username": name, "password": password}).encode()
    token: str = call("/auth/login", {}, form)["access_token"]
    return token


@schemathesis.auth(refresh_interval=None)
class Login:
    """Logs in again when a test has ended the session."""

    token = ""

    def get(self, _case: Any, _context: Any) -> str:
        """Return a token that is valid."""
        try:
            call("/users/me", {"Authorization": f"Bearer {Login.token}"})
        except HTTPError:
            Login.token = log_in()
        return Login.token

    def set(self, case: Any, data: str, _context: Any) -> None:
        """Send the token."""
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(_context: Any, case: Any, _arguments: dict[str, Any]) -> None:
    """Let imports call our own server only, whatever their URL."""
    if case.operation.path.endswith("/import") and isinstance(case.body, dict):
        url = case.body.get("url")
        if isinstance(url, str) and ":" in url:
            case.body = {**case.body, "url": DOCUMENT_URL}
