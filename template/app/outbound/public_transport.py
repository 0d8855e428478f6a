"""Connections to public addresses only, so that URLs of clients cannot reach internal hosts."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, ip_address
from itertools import chain

import httpx2
from dns.asyncresolver import Resolver
from dns.exception import DNSException, Timeout
from dns.resolver import NoNameservers, NoResolverConfiguration

from app.outbound.addresses import may_be_called
from app.server.address import Address, Network


class AddressRefusedError(Exception):
    """The URL leads to no public address: to a private one, or its name is not known.

    Callers must not learn which of the two, because that would tell them what exists inside.
    """


class PublicTransport(httpx2.AsyncBaseTransport):
    """Connects to public addresses only, and to those of the networks in `allowed`.

    A name is resolved once, and the connection goes to the address that was checked, so a second
    DNS response cannot lead elsewhere. Each redirect is checked as well.

    Names are resolved on the event loop: `getaddrinfo` occupies a thread for up to a minute when a
    name server does not answer, and cannot be cancelled. Only name servers are asked, and no hosts
    file is read. `resolver` is called for each name, so that changes of the system's configuration
    are seen.
    """

    def __init__(
        self, allowed: Sequence[Network] = (), *, resolver: Callable[[], Resolver] = Resolver
    ) -> None:
        self._allowed = allowed
        self._resolver = resolver
        # No connection is kept alive: two names with one address would share a verified connection.
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
        self._transport = httpx2.AsyncHTTPTransport(trust_env=False, limits=limits)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request.

        A redirect is returned without its body, because the client would read all of it. Cookies
        are dropped, because they would be sent again with calls for other callers.

        Raises:
            AddressRefusedError: the address is not allowed, or there is none.
        """
        host = request.url.raw_host.decode()
        address = await self._resolve(host)
        response = await self._transport.handle_async_request(
            httpx2.Request(
                request.method,
                request.url.copy_with(host=str(address)),
                headers=request.headers,  # with the name as `Host`
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
        )
        if response.has_redirect_location:
            await response.aclose()
            location = {"Location": response.headers["Location"]}
            return httpx2.Response(response.status_code, headers=location)
        response.headers.pop("Set-Cookie", None)
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def _resolve(self, host: str) -> Address:
        literal = _parse(host)
        addresses = await self._look_up(host) if literal is None else [literal]
        if not addresses or not all(may_be_called(each, self._allowed) for each in addresses):
            raise AddressRefusedError
        # Not every network has IPv6.
        return min(addresses, key=lambda address: address.version)

    async def _look_up(self, name: str) -> list[Address]:
        """Return the addresses of a name, or none if it does not exist.

        Both kinds of records are asked for at once, so that the duration does not reveal which
        ones a name has.
        """
        try:
            resolver = self._resolver()
        except NoResolverConfiguration as error:
            raise httpx2.ConnectError("There is no name server.") from error
        answers = await asyncio.gather(
            *(resolver.resolve(name, kind, raise_on_no_answer=False) for kind in ("A", "AAAA")),
            return_exceptions=True,
        )
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        found = [answer for answer in answers if not isinstance(answer, BaseException)]
        addresses = [ip_address(str(record)) for record in chain.from_iterable(found)]
        for failure in failures:
            if not isinstance(failure, DNSException):
                raise failure
            if not addresses and isinstance(failure, Timeout | NoNameservers):
                raise httpx2.ConnectError("The name servers do not answer.") from failure
        return addresses


def _parse(host: str) -> Address | None:
    """Return the address that `host` is in any notation, as 127.0.0.1, 0x7f.1 or 2130706433."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None
