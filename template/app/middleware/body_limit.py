"""Limits of request bodies."""

from collections.abc import Awaitable, Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.server.headers import header
from app.server.json_size import holds_more_values
from app.server.problems import problem_response


class BodyLimitMiddleware:
    """Respond with 413 to a body that is too large, before any of it is parsed.

    A body may have `max_body_size` bytes, announced or not; under a path of `limits`, the number
    there. The longest path that fits counts. A JSON body may hold `max_json_values` values.
    FastAPI's own limit responds in plain text to an announced body, outside of all middleware.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_body_size: int,
        max_json_values: int,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        self.app = app
        self._max_body_size = max_body_size
        self._max_json_values = max_json_values
        self._limits = sorted((limits or {}).items(), key=lambda limit: -len(limit[0]))

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self.app(scope, receive, send)

        limit = self._limit(scope["exchange"].path)
        announced = header(scope, b"content-length")
        if announced.isdecimal() and int(announced[:19]) > limit:
            return problem_response(scope, 413)(scope, receive, send)

        is_json = _is_json(header(scope, b"content-type"))
        received = 0
        parts: list[bytes] = []

        async def receive_within_limits() -> Message:
            nonlocal received
            message = await receive()
            part = message.get("body", b"")
            received += len(part)
            if received > limit:
                raise HTTPException(413)
            if is_json:
                parts.append(part)
                if not message.get("more_body", False):
                    self._check_values(parts, received)
            return message

        return self.app(scope, receive_within_limits, send)

    def _limit(self, path: str) -> int:
        for prefix, limit in self._limits:
            if path.startswith(prefix):
                return limit
        return self._max_body_size

    def _check_values(self, parts: list[bytes], size: int) -> None:
        limit = self._max_json_values  # fewer bytes cannot hold more values
        if size > limit and holds_more_values(b"".join(parts), limit):
            raise HTTPException(413, f"The body holds more than {limit} values.")
        parts.clear()


def _is_json(content_type: str) -> bool:
    """Return whether FastAPI parses a body of this type as JSON."""
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
