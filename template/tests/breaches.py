"""A service of breached passwords, with many faults."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha1

from tests.answers import answer, listening

LEAKED = "a phrase that has leaked"


def digest_of(password: str) -> str:
    """Return the SHA-1 of `password` in upper-case hex."""
    return sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


class Breaches:
    """Knows the password `LEAKED`, records requests, and fails as it is told."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.connections = 0
        self.counts = {digest_of(LEAKED): 42}
        self.faulty: bytes | None = None
        """What every request gets instead of an answer, before the connection is closed."""
        self.endless: bytes | None = None
        """What every request gets again and again, until it gives up."""
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.port = 0

    @property
    def url(self) -> str:
        """Return its address, to which a prefix is added."""
        return f"http://127.0.0.1:{self.port}/range/"

    @property
    def paths(self) -> list[str]:
        """Return the paths of the requests so far."""
        return [head.split()[1] for head in self.requests]

    def lines(self, prefix: str) -> bytes:
        """Return the body for hashes that begin with `prefix`: two others, those, and padding."""
        found = [f"{key[5:]}:{n}" for key, n in self.counts.items() if key.startswith(prefix)]
        return "\r\n".join(["0" * 35 + ":3", *found, "E" * 35 + ":1", "F" * 35 + ":0"]).encode()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a connection."""
        self.connections += 1
        try:
            while head := await _read_head(reader):
                self.requests.append(head)
                await self.may_answer.wait()
                if self.endless is not None:
                    await _repeat(self.endless, writer)
                elif self.faulty is not None:
                    writer.write(self.faulty)
                else:
                    writer.write(answer(self.lines(head.split()[1][-5:])))
                    continue
                break
        finally:
            writer.close()


async def _read_head(reader: asyncio.StreamReader) -> str:
    try:
        return (await reader.readuntil(b"\r\n\r\n")).decode()
    except (asyncio.IncompleteReadError, ConnectionError):
        return ""


async def _repeat(part: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    try:
        while not writer.is_closing():
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.001)
    except ConnectionError:
        pass


_HIT = f"{digest_of(LEAKED)[5:]}:42".encode()

FAULTS = {
    "500": (answer(_HIT, status="500 Internal Server Error"), "It answers 500."),
    "404": (answer(_HIT, status="404 Not Found"), "It answers 404."),
    "429": (answer(_HIT, "Retry-After: 2", status="429 Too Many"), "It answers 429."),
    "redirect": (answer(b"", "Location: /range/00000", status="302 Found"), "It answers 302."),
    "page": (answer(b"<html>\n" + _HIT), "Its answer is not a list of hashes."),
    "no count": (answer(_HIT.partition(b":")[0]), "Its answer is not a list of hashes."),
    "nothing": (answer(b""), "Its answer is not a list of hashes."),
    "no text": (answer(b"\xff\xfe" + _HIT), "Its answer is not a list of hashes."),
    "compressed": (
        answer(gzip.compress(_HIT), "Content-Encoding: gzip"),
        "It answers compressed, though asked not to.",
    ),
    "cut off": (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + _HIT, "It does not answer."),
    "no HTTP": (b"220 smtp.example.com ESMTP\r\n", "It does not answer."),
    "closed": (b"", "It does not answer."),
}
"""Answers of no use, with what the audit trail says of each. Some name the leaked password."""


@asynccontextmanager
async def breaches() -> AsyncIterator[Breaches]:
    """Run it on a port of this machine."""
    service = Breaches()
    async with listening(service.handle) as service.port:
        try:
            yield service
        finally:
            service.may_answer.set()
