"""F12: other services may be slow, broken or hostile."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest

from app.core.circuit_breaker import CircuitOpenError
from app.core.config import Settings
from app.core.resilience import TransientError
from app.outbound import client as outbound
from app.outbound.client import AddressRefusedError, OutboundClient, OutboundError
from app.outbound.public_transport import PublicTransport
from tests.faults.elsewhere import Elsewhere, answer, elsewhere
from tests.pace import within


@pytest.fixture
async def other() -> AsyncIterator[Elsewhere]:
    async with elsewhere() as service:
        yield service


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
async def client(impatient: Settings) -> AsyncIterator[OutboundClient]:
    """A client that waits long enough for a busy machine."""
    patience = {
        "outbound_connect_timeout": 30,
        "outbound_read_timeout": 30,
        "outbound_total_timeout": 90,
    }
    client = OutboundClient(impatient.model_copy(update=patience))
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
    before = time.monotonic()
    with pytest.raises(TransientError):
        await client.get(other.url(path))
    assert within(time.monotonic() - before, 5.2)
    assert len(other.requests) == 3
    await client.aclose()


async def test_all_attempts_together_are_bounded(impatient: Settings, other: Elsewhere) -> None:
    client = OutboundClient(
        impatient.model_copy(update={"outbound_total_timeout": 0.3, "outbound_read_timeout": 60})
    )
    before = time.monotonic()
    with pytest.raises(TransientError, match="too long"):
        await client.get(other.url("/hang"))
    assert within(time.monotonic() - before, 1)
    await client.aclose()


async def test_nobody_there(client: OutboundClient) -> None:
    with pytest.raises(TransientError):
        await client.get("http://127.0.0.1:1/")
    with pytest.raises(TransientError):
        await client.get("http://no-such-name.invalid/")


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


async def _outcome(client: OutboundClient, url: str) -> type[Exception] | None:
    try:
        await client.get(url)
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
    with pytest.raises((OutboundError, TransientError)):
        await client.get(url)


async def test_redirect_is_not_read(client: OutboundClient, other: Elsewhere) -> None:
    """Its body is not decompressed, and its cookies are not stored."""
    gzipped = ("Location: /atlas", "Content-Encoding: gzip", "Set-Cookie: a=b")
    for body in (gzip.compress(b"x" * 10**7), b"nonsense"):
        other.answers["/trap"] = answer(body, *gzipped, status="302 Found")
        before = time.monotonic()
        assert b"atlas" in await client.get(other.url("/trap"))
        assert within(time.monotonic() - before, 0.5)
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
    impatient: Settings, other: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They queue; a timeout in the queue is not a failure of the host."""
    monkeypatch.setattr(outbound, "MAX_CALLS", 5)
    monkeypatch.setattr("socket.getaddrinfo", lambda _, port, **__: addresses(port, "127.0.0.1"))
    client = OutboundClient(impatient)
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
async def test_addresses_inside_are_refused(impatient: Settings, host: str) -> None:
    """In any form, without a request and without a retry."""
    client = OutboundClient(impatient.model_copy(update={"outbound_allowed_networks": ()}))
    with pytest.raises((AddressRefusedError, OutboundError, TransientError)) as caught:
        await client.get(f"http://{host}:1/")
    if "localdomain" not in host:  # which not every machine knows
        assert caught.type is AddressRefusedError
    await client.aclose()


def addresses(port: int, *found: str) -> list[tuple[object, ...]]:
    """Return what `socket.getaddrinfo` does."""
    return [(2, 1, 6, "", (address, port)) for address in found]


async def test_name_is_resolved_once(
    impatient: Settings, other: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server with a different second response cannot redirect the connection."""
    answers = iter(["127.0.0.1", "10.0.0.1"])
    monkeypatch.setattr("socket.getaddrinfo", lambda _, port, **__: addresses(port, next(answers)))
    client = OutboundClient(impatient)
    assert await client.get(other.url("/atlas", "rebinding.example.com"))
    assert f"Host: rebinding.example.com:{other.port}" in other.requests[0]
    with pytest.raises(AddressRefusedError):
        await client.get(other.url("/atlas", "rebinding.example.com"))
    await client.aclose()


async def test_one_private_address_among_several_is_enough(
    impatient: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = "93.184.216.34", "10.0.0.1"
    monkeypatch.setattr("socket.getaddrinfo", lambda _, port, **__: addresses(port, *both))
    transport = PublicTransport(impatient.outbound_allowed_networks)
    with pytest.raises(AddressRefusedError):
        await transport._resolve("two.example.com", 80)
    await transport.aclose()
