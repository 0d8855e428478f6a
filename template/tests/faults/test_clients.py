"""Clients that disconnect, and many clients."""

import asyncio
import json
import re
import signal
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.core.config import Settings
from tests.server import WITH_ROUTES, Service, serving
from tests.waiting import PATIENCE


def test_f6_clients_that_do_not_wait(settings: Settings) -> None:
    """F6: if its client disconnects, a request returns its connection, without an error line."""
    with serving(
        settings,
        program=WITH_ROUTES,
        RATE_LIMIT_ENABLED="false",
        DB_POOL_SIZE="2",
        DB_MAX_OVERFLOW="0",
        DB_POOL_TIMEOUT="10",
        SLOW_REQUEST_SECONDS="60",  # they wait for each other, as the pool is small
    ) as service:
        service.get("/live")
        asyncio.run(leave(service, "/query?seconds=0.005", times=200))
        for _ in range(4):
            assert service.get("/query?seconds=0").status_code == 200
        service.process.send_signal(signal.SIGTERM)
        output, _ = service.process.communicate(timeout=PATIENCE)
    lines = [json.loads(line) for line in output.splitlines()]
    assert len([line for line in lines if line.get("path") == "/query"]) == 204
    assert {line["level"] for line in lines} == {"info"}
    assert service.process.returncode == 0


async def leave(service: Service, path: str, times: int) -> None:
    """Send a request and do not wait for the response."""
    url = urlsplit(service.address)
    for _ in range(times):
        _, writer = await asyncio.open_connection(url.hostname, url.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="there is no /proc")
def test_f15_nothing_leaks(settings: Settings) -> None:
    """F15: after 50,000 more requests, memory and open files have not grown."""
    with serving(settings, program=WITH_ROUTES, RATE_LIMIT_ENABLED="false") as service:
        service.get("/live")
        asyncio.run(use(service, 10_000))
        before = resources(service)
        asyncio.run(use(service, 50_000))
        after = resources(service)
    assert after["files"] <= before["files"] + 2
    assert after["KiB"] < before["KiB"] + 8_192


def resources(service: Service) -> dict[str, int]:
    """The resources of the process."""
    process = Path("/proc", str(service.process.pid))
    resident = re.search(r"VmRSS:\s+(\d+) kB", (process / "status").read_text())
    assert resident
    return {"files": len(list((process / "fd").iterdir())), "KiB": int(resident[1])}


async def use(service: Service, number: int, clients: int = 8) -> None:
    """Send different requests, with and without the database, and for unknown paths."""
    url = urlsplit(service.address)
    paths = ("/", "/health", "/query?seconds=0", f"/{number}", "/openapi.json")
    requests = [f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode() for path in paths]

    async def client() -> None:
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        for turn in range(number // clients):
            writer.write(requests[turn % len(requests)])
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            assert length, head
            await reader.readexactly(int(length[1]))
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
