"""A service that cannot start."""

from starlette.types import Receive, Scope, Send


async def app(_scope: Scope, receive: Receive, send: Send) -> None:
    """Fail, as a lifespan does that raises."""
    await receive()
    await send({"type": "lifespan.startup.failed"})
