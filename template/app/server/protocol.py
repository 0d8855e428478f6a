"""The server's protocol: by httptools where it is installed, which is faster, else by h11."""

try:
    from app.server.httptools_protocol import LimitedHttpToolsProtocol as HttpProtocol
except ModuleNotFoundError:
    from app.server.h11_protocol import (  # type: ignore[assignment]  # as much of a protocol
        LimitedH11Protocol as HttpProtocol,
    )

__all__ = ["HttpProtocol"]
