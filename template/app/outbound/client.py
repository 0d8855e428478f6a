"""Calls to other services, with limits of time and size, retries and circuit breakers."""

import asyncio
import logging
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from app import PROJECT_SLUG, __version__
from app.core.resilience import TransientError, with_circuit_breaker, with_retry
from app.outbound.public_transport import AddressRefusedError, PublicTransport
from app.settings.outbound import OutboundSettings

__all__ = ["AddressRefusedError", "OutboundClient", "OutboundError"]

logging.getLogger("httpx2").setLevel("WARNING")  # it would log complete URLs

MAX_REDIRECTS = 3

MAX_CALLS = 20
"""Calls at the same time; others wait, within their timeout."""


class OutboundError(Exception):
    """The call failed. The message says why, without text of the other service."""


class OutboundClient:
    """Gets documents from other services. Each host has a circuit breaker."""

    def __init__(self, settings: OutboundSettings) -> None:
        self._total_timeout = settings.outbound_total_timeout
        # Shorter than the total, which cancels: the breaker only sees calls that fail themselves.
        self._attempt_timeout = min(
            settings.outbound_connect_timeout + settings.outbound_read_timeout,
            0.9 * settings.outbound_total_timeout,
        )
        self._turns = asyncio.Semaphore(MAX_CALLS)
        self._max_size = settings.outbound_max_size
        self.client = httpx2.AsyncClient(
            transport=PublicTransport(settings.outbound_allowed_networks),
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
            target=_host,
        )
        self._get = retry(guard(self._get_once))

    async def get(self, url: str) -> bytes:
        """Return the document at `url`.

        Raises:
            AddressRefusedError: it may not be called.
            CircuitOpenError: its host fails, so it was not called.
            OutboundError: it is not available.
            TransientError: it is not available right now.
        """
        try:
            httpx2.URL(url)
        except httpx2.InvalidURL as error:
            raise OutboundError("It leads nowhere.") from error
        try:
            # The queue is outside of the breaker: waiting for a turn is not a failure of the host.
            async with asyncio.timeout(self._total_timeout), self._turns:
                return await self._get(url)
        except TimeoutError:
            raise TransientError("It takes too long.") from None

    async def aclose(self) -> None:
        """Close all connections."""
        await self.client.aclose()

    async def _get_once(self, url: str) -> bytes:
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


def _host(url: str) -> str:
    return httpx2.URL(url).host


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
