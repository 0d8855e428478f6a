"""An id for every request, in its response and in all of its log lines."""

import re
from random import getrandbits

from structlog.contextvars import bind_contextvars, clear_contextvars

from app.server.exchange import Exchange, Hook
from app.server.headers import header

_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,128}")


class RequestId(Hook):
    """Use the caller's `X-Request-ID` if it is well-formed, else create one.

    Others could forge log lines or split headers (OWASP ASVS 16.4.1).
    """

    def begin(self, exchange: Exchange) -> None:
        """Choose the id."""
        scope = exchange.scope
        offered = header(scope, b"x-request-id")
        request_id = offered if _WELL_FORMED.fullmatch(offered) else _new_id()
        scope.setdefault("state", {})["request_id"] = request_id
        exchange.headers.append((b"x-request-id", request_id.encode()))
        clear_contextvars()  # of earlier requests in this task
        bind_contextvars(request_id=request_id)


def _new_id() -> str:
    # It must be unique, not secret: random bytes of the system would cost 8 microseconds.
    return f"{getrandbits(128):032x}"
