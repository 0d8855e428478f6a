"""F12: other services may be slow, broken or hostile."""

import asyncio
import gzip
import signal
import socket
import threading
from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest

from app.core.circuit_breaker import CircuitOpenError
from app.core.config import Settings
from app.core.resilience import TransientError
from app.outbound import client as outbound
from app.outbound.client import (
    AddressRefusedError,
    OutboundClient,
    OutboundError,
    TooManyCallsError,
)
from tests.answers import answer
from tests.faults.elsewhere import Elsewhere, elsewhere, redirect
from tests.faults.name_server import NameServer, name_server
from tests.pace import Stopwatch
from tests.server import AS_IT_IS, serving
from tests.waiting import PATIENCE, until


@pytest.fixture
async def other() -> AsyncIterator[Elsewhere]:
    async with elsewhere() as service:
        yield service


@pytest.fixture
async def names() -> AsyncIterator[NameServer]:
    async with name_server() as server:
        yield server


@pytest.fixture
def impatient(settings: Settings) -> Settings:
    """Settings with short timeouts that allow calls to this machine."""
    values = {
        "outbound_allowed_networks": (ip_network("127.0.0.1"),),
        "outbound_connect_timeout": 0.25,
        "outbound_read_timeout": 0.25,
        "outbound_total_timeout": 3,
        "outbound_max_size": 2000,
        "retry_max_attempts": 3,
        "circuit_breaker_failure_threshold": 5,
        "circuit_breaker_recovery_timeout": 1,  # longer than the pauses between attempts
    }
    return settings.model_copy(update=values)


@pytest.fixture
async def client(impatient: Settings, names: NameServer) -> AsyncIterator[OutboundClient]:
    """A client that waits long enough for a busy machine."""
    patience = {
        "outbound_connect_timeout": 30,
        "outbound_read_timeout": 30,
        "outbound_total_timeout": 90,
    }
    client = OutboundClient(impatient.model_copy(update=patience), resolver=names.resolver)
    yield client
    await client.aclose()


async def test_document_is_returned(client: OutboundClient, other: Elsewhere) -> None:
    assert b"Pocket atlas" in await client.get(other.url("/atlas"))
    (head,) = other.requests
    assert f"Host: 127.0.0.1:{other.port}" in head
    assert "Accept-Encoding: identity" in head


async def test_passing_failure_costs_nothing_but_time(
    client: OutboundClient, other: Elsewhere
) -> None:
    other.failures = 2
    assert await client.get(other.url("/atlas"))
    assert len(other.requests) == 3


@pytest.mark.parametrize("path", ["/down", "/reset", "/nonsense", "/until"])
async def test_lasting_failure_is_tried_as_often_as_allowed(
    client: OutboundClient, other: Elsewhere, path: str
) -> None:
    with pytest.raises(TransientError) as caught:
        await client.get(other.url(path))
    assert len(other.requests) == 3
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("path", ["/missing", "/large", "/announced", "/bomb"])
async def test_answer_that_will_not_change_is_asked_for_once(
    client: OutboundClient, other: Elsewhere, path: str
) -> None:
    with pytest.raises(OutboundError):
        await client.get(other.url(path))
    assert len(other.requests) == 1


async def test_whoever_asks_for_an_hour_is_not_waited_for(
    client: OutboundClient, other: Elsewhere
) -> None:
    with pytest.raises(TransientError, match="429") as caught:
        await client.get(other.url("/busy"))
    assert caught.value.retry_after == 3600
    assert len(other.requests) == 1


@pytest.mark.parametrize("path", ["/hang", "/drip"])
async def test_waiting_is_bounded(impatient: Settings, other: Elsewhere, path: str) -> None:
    """Also for a response that arrives one byte at a time."""
    timeouts = {"outbound_connect_timeout": 0.5, "outbound_read_timeout": 0.5}
    total = {"outbound_total_timeout": 5}
    client = OutboundClient(impatient.model_copy(update=timeouts | total))
    stopwatch = Stopwatch()
    with pytest.raises(TransientError):
        await client.get(other.url(path))
    assert stopwatch.within(5.2)
    assert len(other.requests) == 3
    await client.aclose()


async def test_all_attempts_together_are_bounded(impatient: Settings, other: Elsewhere) -> None:
    client = OutboundClient(
        impatient.model_copy(update={"outbound_total_timeout": 0.3, "outbound_read_timeout": 60})
    )
    stopwatch = Stopwatch()
    with pytest.raises(TransientError, match="too long"):
        await client.get(other.url("/hang"))
    assert stopwatch.within(1)
    await client.aclose()


async def test_nobody_there(client: OutboundClient) -> None:
    with pytest.raises(TransientError):
        await client.get("http://127.0.0.1:1/")


async def test_failing_host_is_left_alone_and_found_again(
    impatient: Settings, other: Elsewhere
) -> None:
    """Of fifty callers, one probes whether the host has recovered."""
    patient = {"connect": 20, "read": 20, "total": 60}  # every response is awaited
    values = {f"outbound_{name}_timeout": seconds for name, seconds in patient.items()}
    client = OutboundClient(impatient.model_copy(update=values))
    other.failures = 1000
    while True:
        try:
            await client.get(other.url("/atlas"))
        except CircuitOpenError:
            break
        except TransientError:
            pass
    asked = len(other.requests)
    assert asked == 5
    # Another host has a breaker of its own.
    assert await _outcome(client, "http://127.0.0.2/") is AddressRefusedError
    other.failures = 0
    await asyncio.sleep(impatient.circuit_breaker_recovery_timeout)
    outcomes = await asyncio.gather(*(_outcome(client, other.url("/atlas")) for _ in range(50)))
    assert len(other.requests) == asked + 1
    assert outcomes.count(CircuitOpenError) == 49
    assert await client.get(other.url("/atlas"))
    await client.aclose()


async def _outcome(client: OutboundClient, url: str, caller: str = "") -> type[Exception] | None:
    try:
        await client.get(url, caller=caller)
    except Exception as error:  # noqa: BLE001  # any error
        return type(error)
    return None


@pytest.mark.parametrize(
    "url",
    [
        "http://a..b/",
        f"http://{'x' * 70}.example.com/",
        "http://\u2603.example/",
        "http://",
        "nonsense",
        "http://[::1",
    ],
)
async def test_names_that_cannot_be(client: OutboundClient, url: str) -> None:
    """Any input ends in one of the documented errors."""
    with pytest.raises((AddressRefusedError, OutboundError, TransientError)):
        await client.get(url)


async def test_redirect_is_not_read(client: OutboundClient, other: Elsewhere) -> None:
    """Its body is not decompressed, and its cookies are not stored."""
    gzipped = ("Location: /atlas", "Content-Encoding: gzip", "Set-Cookie: a=b")
    for body in (gzip.compress(b"x" * 10**7), b"nonsense"):
        other.answers["/trap"] = answer(body, *gzipped, status="302 Found")
        stopwatch = Stopwatch()
        assert b"atlas" in await client.get(other.url("/trap"))
        assert stopwatch.within(0.5)
    other.answers["/atlas"] = answer(b"{}", "Set-Cookie: session=mine")
    await client.get(other.url("/atlas"))
    await client.get(other.url("/atlas"))
    assert not [head for head in other.requests if "cookie" in head.lower()]


async def test_impossible_date_asks_for_nothing(client: OutboundClient, other: Elsewhere) -> None:
    never = "Retry-After: Mon, 01 Jan 99999999999999999999 00:00:00 GMT"
    other.answers["/never"] = answer(b"", never, status="503 Busy")
    with pytest.raises(TransientError, match="503"):
        await client.get(other.url("/never"))


async def test_slow_hosts_do_not_open_the_circuit_of_others(
    impatient: Settings, other: Elsewhere, names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They queue; a timeout in the queue is not a failure of the host."""
    monkeypatch.setattr(outbound, "MAX_CALLS", 5)
    names.records = {f"{name}.example.com": ["127.0.0.1"] for name in ("slow", "healthy")}
    client = OutboundClient(impatient, resolver=names.resolver)
    hanging = other.url("/hang", "slow.example.com")
    slow = [asyncio.create_task(client.get(hanging)) for _ in range(10)]
    await asyncio.sleep(0.05)
    healthy = other.url("/atlas", "healthy.example.com")
    outcomes = await asyncio.gather(*(_outcome(client, healthy) for _ in range(10)))
    assert CircuitOpenError not in outcomes
    await asyncio.gather(*slow, return_exceptions=True)
    assert await client.get(healthy)
    await client.aclose()


async def test_redirects_are_followed_to_public_addresses_only(
    client: OutboundClient, other: Elsewhere
) -> None:
    assert await client.get(other.url("/moved"))
    with pytest.raises(AddressRefusedError):
        await client.get(other.url("/metadata"))
    for path in ("/loop", "/file"):
        with pytest.raises(OutboundError):
            await client.get(other.url(path))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.2",
        "localhost.localdomain",
        "2130706433",  # 127.0.0.1 as one number
        "0x7f.1",
        "0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fd00::1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::a00:1]",  # 10.0.0.1 through NAT64
        "[2002:a00:1::]",  # and through 6to4
        "[64:ff9b:1::a9fe:a9fe]",  # NAT64 of a network's own
        "[::7f00:1]",
        "[::ffff:0:7f00:1]",
        "[fec0::1]",
        "[5f00::1]",
        "[ff02::1]",
    ],
)
async def test_addresses_inside_are_refused(
    impatient: Settings, names: NameServer, host: str
) -> None:
    """In any form, without a request and without a retry."""
    settings = impatient.model_copy(update={"outbound_allowed_networks": ()})
    client = OutboundClient(settings, resolver=names.resolver)
    with pytest.raises(AddressRefusedError):
        await client.get(f"http://{host}:1/")
    assert len(names.queries) == (2 if "localdomain" in host else 0)
    await client.aclose()


async def test_name_is_resolved_once(
    client: OutboundClient, other: Elsewhere, names: NameServer
) -> None:
    """A name server with a different second response cannot redirect the connection."""
    names.records["rebinding.example.com"] = ["127.0.0.1"]
    assert await client.get(other.url("/atlas", "rebinding.example.com"))
    assert len(names.queries) == 2  # for IPv4 and IPv6
    assert f"Host: rebinding.example.com:{other.port}" in other.requests[0]
    names.records["rebinding.example.com"] = ["10.0.0.1"]
    with pytest.raises(AddressRefusedError):
        await client.get(other.url("/atlas", "rebinding.example.com"))


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1", "10.0.0.1"], ["127.0.0.1", "::1"], ["127.0.0.1", "fd00:ec2::254"]]
)
async def test_one_private_address_among_several_is_enough(
    client: OutboundClient, other: Elsewhere, names: NameServer, addresses: list[str]
) -> None:
    names.records["two.example.com"] = addresses
    with pytest.raises(AddressRefusedError):
        await client.get(other.url("/atlas", "two.example.com"))
    assert other.requests == []


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["fd00::1"], ["10.0.0.1", "fd00::1"], []])
async def test_x22_private_names_are_like_unknown_ones(
    client: OutboundClient, other: Elsewhere, names: NameServer, addresses: list[str]
) -> None:
    """X22: the same error after the same queries, at once and after a redirect."""
    names.records["private.example.com"] = addresses
    outcomes = []
    for host in ("private.example.com", "unknown.example.com"):
        names.queries.clear()
        other.answers["/elsewhere"] = redirect(f"http://{host}/")
        urls = f"http://{host}/", other.url("/elsewhere")
        errors = [await _outcome(client, url) for url in urls]
        outcomes.append((errors, sorted(kind for _, kind in names.queries)))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] == [AddressRefusedError] * 2


async def test_x4_silent_name_server_delays_no_other_caller(
    client: OutboundClient, other: Elsewhere, names: NameServer
) -> None:
    """X4: a caller may have a few calls under way, which occupy no thread."""
    names.records["healthy.example.com"] = ["127.0.0.1"]
    threads = set(threading.enumerate())
    hanging = [
        asyncio.create_task(client.get(f"http://{number}.silent.example.com/", caller="ada"))
        for number in range(outbound.MAX_CALLS_EACH)
    ]
    await until(lambda: len(names.queries) == 2 * outbound.MAX_CALLS_EACH)
    with pytest.raises(TooManyCallsError):
        await client.get(other.url("/atlas"), caller="ada")
    assert await client.get(other.url("/atlas", "healthy.example.com"), caller="grace")
    assert not any(task.done() for task in hanging)
    assert set(threading.enumerate()) == threads
    for task in hanging:
        task.cancel()
    await asyncio.wait(hanging)
    assert await client.get(other.url("/atlas"), caller="ada")


async def test_x4_circuits_are_separate(client: OutboundClient, other: Elsewhere) -> None:
    """X4: a port that fails closes no other port of its host, and none to other callers."""
    closed = "http://127.0.0.1:1/"
    while await _outcome(client, closed) is not CircuitOpenError:
        pass
    assert await client.get(other.url("/atlas"))
    assert await _outcome(client, closed.replace("http", "https")) is TransientError
    while await _outcome(client, other.url("/down"), "ada") is not CircuitOpenError:
        pass
    assert await client.get(other.url("/atlas"), caller="grace")
    assert await _outcome(client, other.url("/atlas"), "ada") is CircuitOpenError


HANGING = f"""
import os
import app.main
from dns.asyncresolver import Resolver
from fastapi import Request

def read_resolv_conf(self, _):
    self.nameservers, self.port = ["127.0.0.1"], int(os.environ["NAME_SERVER_PORT"])

Resolver.read_resolv_conf = read_resolv_conf
build = app.main.create_app

def create_app():
    service = build()

    @service.get("/hang")
    async def hang(request: Request) -> None:
        await request.state.outbound.get("http://silent.example.com/")

    return service

app.main.create_app = create_app
{AS_IT_IS}
"""


def test_x4_silent_name_server_holds_up_no_exit(settings: Settings) -> None:
    """X4: the process ends when its calls do."""
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.settimeout(PATIENCE)
        environment = {
            "NAME_SERVER_PORT": str(silent.getsockname()[1]),
            "OUTBOUND_TOTAL_TIMEOUT": "3",
        }
        with serving(settings, program=HANGING, **environment) as service:
            assert service.get("/live").status_code == 200
            host, _, port = service.address.removeprefix("http://").partition(":")
            with socket.create_connection((host, int(port)), timeout=PATIENCE) as caller:
                caller.sendall(b"GET /hang HTTP/1.1\r\nHost: test\r\n\r\n")
                assert silent.recv(512)
                service.process.send_signal(signal.SIGTERM)
                assert service.process.wait(timeout=PATIENCE) == 0
