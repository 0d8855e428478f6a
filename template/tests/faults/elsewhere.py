"""Another service, with many faults."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.answers import answer, listening

ATLAS = {"title": "Pocket atlas", "attributes": {"pages": 64}}


class Elsewhere:
    """Responds by path, records requests, and fails as often as requested."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.failures = 0
        self.answers: dict[str, bytes] = {
            "/atlas": answer(json.dumps(ATLAS).encode()),
            "/missing": answer(b"", status="404 Not Found"),
            "/down": answer(b"secret stack trace", status="500 Internal Server Error"),
            "/busy": answer(b"", "Retry-After: 3600", status="429 Too Many Requests"),
            "/until": answer(b"", "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT", status="503 Busy"),
            "/large": answer(b"x" * 3000),
            "/announced": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 3000,
            "/bomb": answer(gzip.compress(b"x" * 10**6), "Content-Encoding: gzip"),
            "/reset": b"",
            "/nonsense": b"220 smtp.example.com ESMTP\r\n",
            "/metadata": redirect("http://169.254.169.254/latest/meta-data"),
            "/file": redirect("file:///etc/passwd"),
            "/loop": redirect("/loop"),
            "/moved": redirect("/atlas"),
        }
        self.port = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Return the URL of `path`."""
        return f"http://{host}:{self.port}{path}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.requests.append(head)
        path = head.split()[1].partition("?")[0]
        if self.failures:
            self.failures -= 1
            path = "/down"
        if path in self.answers:
            writer.write(self.answers[path])
        elif path == "/drip":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not writer.is_closing():
                writer.write(b"x")
                await asyncio.sleep(0.02)
        else:  # it hangs
            await reader.read()
        writer.close()


def redirect(url: str) -> bytes:
    """Return a redirect to `url`."""
    return answer(b"", f"Location: {url}", status="302 Found")


@asynccontextmanager
async def elsewhere() -> AsyncIterator[Elsewhere]:
    """Run it on a port of this machine."""
    service = Elsewhere()
    async with listening(service.handle) as service.port:
        yield service
