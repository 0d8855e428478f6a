"""One pass for everything that sees every request."""

from collections.abc import Callable, Iterable

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.server.exchange import Exchange, Hook

log = structlog.get_logger(__name__)


class ExchangeMiddleware:
    """Call the hooks with each request, response and end, in their order."""

    def __init__(self, app: ASGIApp, hooks: Iterable[Hook]) -> None:
        self.app = app
        used = list(hooks)
        self._begin = [hook.begin for hook in used if type(hook).begin is not Hook.begin]
        self._respond = [hook.respond for hook in used if type(hook).respond is not Hook.respond]
        self._end = [hook.end for hook in used if type(hook).end is not Hook.end]
        self._close = [hook.close for hook in used if type(hook).close is not Hook.close]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)

        exchange = scope["exchange"] = Exchange(scope)

        async def send_observed(message: Message) -> None:
            kind = message["type"]
            if kind == "http.response.start":
                self._start_response(exchange, message)
            await send(message)
            if kind == "http.response.body" and not message.get("more_body", False):
                self._end_response(exchange)

        _run(self._begin, exchange)
        try:
            await self.app(scope, receive, send_observed)
        except BaseException:
            exchange.failed = True
            raise
        finally:
            self._end_response(exchange)  # unless it has ended before
            _run(self._close, exchange)

    def _start_response(self, exchange: Exchange, message: Message) -> None:
        exchange.status = message["status"]
        headers = message["headers"] = [*message["headers"], *exchange.headers]
        _run(self._respond, exchange, headers)

    def _end_response(self, exchange: Exchange) -> None:
        if exchange.stop():
            _run(self._end, exchange)


def _run(acts: Iterable[Callable[..., None]], *given: object) -> None:
    for act in acts:
        try:
            act(*given)
        except Exception:
            log.exception("hook_failed", hook=act.__qualname__)
