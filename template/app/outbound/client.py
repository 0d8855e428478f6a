"""Calls to other services, with limits of time and size, retries and circuit breakers."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2
from dns.asyncresolver import Resolver

from app import PROJECT_SLUG, __version__
from app.core.resilience import TransientError, with_circuit_breaker, with_retry
from app.outbound.public_transport import AddressRefusedError, PublicTransport
from app.settings.outbound import OutboundSettings

__all__ = ["AddressRefusedError", "OutboundClient", "OutboundError", "TooManyCallsError"]

logging.getLogger("httpx2").setLevel("WARNING")  # it would log complete URLs

MAX_REDIRECTS = 3

MAX_CALLS = 100
"""Calls at the same time; others wait, within their timeout."""

MAX_CALLS_EACH = 5
"""Calls of one caller at the same time, so that one cannot take every turn."""


class OutboundError(Exception):
    """The call failed. The message says why, without text of the other service."""


class TooManyCallsError(Exception):
    """The caller has `MAX_CALLS_EACH` calls under way."""


class OutboundClient:
    """Gets documents from other services.

    Each caller has a circuit breaker per origin (scheme, host and port): who asks for a URL that
    fails closes no other port to others, and no other URL of that origin either.
    """

    def __init__(
        self, settings: OutboundSettings, *, resolver: Callable[[], Resolver] = Resolver
    ) -> None:
        self._total_timeout = settings.outbound_total_timeout
        # Shorter than the total, which cancels: the breaker only sees calls that fail themselves.
        self._attempt_timeout = min(
            settings.outbound_connect_timeout + settings.outbound_read_timeout,
            0.9 * settings.outbound_total_timeout,
        )
        self._turns = asyncio.Semaphore(MAX_CALLS)
        self._calls: Counter[str] = Counter()
        self._max_size = settings.outbound_max_size
        self.client = httpx2.AsyncClient(
            transport=PublicTransport(settings.outbound_allowed_networks, resolver=resolver),
            timeout=httpx2.Timeout(
                settings.outbound_read_timeout, connect=settings.outbound_connect_timeout
            ),
            follow_redirects=True,
            max_redirects=MAX_REDIRECTS,
            # A small compressed response could become a large one.
            headers={"User-Agent": f"{PROJECT_SLUG}/{__version__}", "Accept-Encoding": "identity"},
            trust_env=False,
        )
        retry = with_retry(
            max_attempts=settings.retry_max_attempts,
            wait_multiplier=settings.retry_wait_multiplier,
        )
        guard = with_circuit_breaker(
            failure_threshold=settings.circuit_breaker_failure_threshold,
            recovery_timeout=settings.circuit_breaker_recovery_timeout,
            failures=(TransientError,),
            target=_target,
        )
        self._get = retry(guard(self._get_once))

    async def get(self, url: str, *, caller: str = "") -> bytes:
        """Return the document at `url`, for a user or another `caller`; "" is the service itself.

        Raises:
            AddressRefusedError: it may not be called, or its name is not known.
            CircuitOpenError: its origin failed for this caller, so it was not called.
            OutboundError: it is not available.
            TooManyCallsError: the caller has too many calls under way.
            TransientError: it is not available right now.
        """
        try:
            httpx2.URL(url)
        except httpx2.InvalidURL as error:
            raise OutboundError("It leads nowhere.") from error
        try:
            # The queue is outside of the breaker: waiting for a turn is not a failure of the host.
            async with asyncio.timeout(self._total_timeout), self._turn(caller):
                return await self._get(url, caller)
        except TimeoutError:
            raise TransientError("It takes too long.") from None

    async def aclose(self) -> None:
        """Close all connections."""
        await self.client.aclose()

    @asynccontextmanager
    async def _turn(self, caller: str) -> AsyncGenerator[None]:
        if caller and self._calls[caller] >= MAX_CALLS_EACH:
            raise TooManyCallsError
        self._calls[caller] += 1
        try:
            async with self._turns:
                yield
        finally:
            self._calls -= Counter([caller])  # and remove callers with no call left

    async def _get_once(self, url: str, _caller: str) -> bytes:
        try:
            # For a response that arrives one byte at a time: the breaker sees this timeout.
            async with (
                asyncio.timeout(self._attempt_timeout),
                self.client.stream("GET", url) as response,
            ):
                _require_success(response)
                return await self._read(response)
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.TooManyRedirects) as error:
            raise OutboundError("It leads nowhere.") from error
        except (httpx2.RequestError, TimeoutError) as error:
            raise TransientError("It does not answer.") from error

    async def _read(self, response: httpx2.Response) -> bytes:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise OutboundError("It answers compressed, though asked not to.")
        document = bytearray()
        async for part in response.aiter_raw():
            document += part
            if len(document) > self._max_size:
                raise OutboundError(f"It is larger than {self._max_size} bytes.")
        return bytes(document)


def _target(url: str, caller: str) -> str:
    parsed = httpx2.URL(url)
    return f"{caller} {parsed.scheme}://{parsed.netloc.decode()}".lstrip()


def _require_success(response: httpx2.Response) -> None:
    status = response.status_code
    if status == httpx2.codes.TOO_MANY_REQUESTS or status >= httpx2.codes.INTERNAL_SERVER_ERROR:
        raise TransientError(f"It answers {status}.", _retry_after(response))
    if status != httpx2.codes.OK:
        raise OutboundError(f"It answers {status}.")


def _retry_after(response: httpx2.Response) -> float | None:
    """Return the seconds of `Retry-After` (RFC 9110, section 10.2.3)."""
    value = response.headers.get("retry-after", "")
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (OverflowError, TypeError, ValueError):
        return None
