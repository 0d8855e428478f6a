"""Connections to public addresses only, so that URLs of clients cannot reach internal hosts."""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx2

from app.server.address import Address, Network

NAT64 = IPv6Network("64:ff9b::/96")

GLOBAL_UNICAST = IPv6Network("2000::/3")
"""The IPv6 addresses that IANA has allocated for general use."""


class AddressRefusedError(Exception):
    """The URL leads to an address that is not public (OWASP: server-side request forgery)."""


class PublicTransport(httpx2.AsyncBaseTransport):
    """Connects to public addresses only, and to those of the networks in `allowed`.

    A name is resolved once, and the connection goes to the address that was checked, so a second
    DNS response cannot lead elsewhere. Each redirect is checked as well.
    """

    def __init__(self, allowed: Sequence[Network] = ()) -> None:
        self._allowed = allowed
        # No connection is kept alive: two names with one address would share a verified connection.
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
        self._transport = httpx2.AsyncHTTPTransport(trust_env=False, limits=limits)
        # A separate pool of threads: slow name servers must not delay other work.
        self._resolver = ThreadPoolExecutor(4, "resolver")

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request.

        A redirect is returned without its body, because the client would read all of it. Cookies
        are dropped, because they would be sent again with calls for other callers.

        Raises:
            AddressRefusedError: the address is not allowed.
        """
        host = request.url.raw_host.decode()
        address = await self._resolve(host, request.url.port)
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
        self._resolver.shutdown(wait=False, cancel_futures=True)
        await self._transport.aclose()

    async def _resolve(self, host: str, port: int | None) -> Address:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(
                self._resolver, partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
            )
        except (OSError, UnicodeError) as error:  # a name may be too long to be encoded
            raise httpx2.ConnectError("The name is not known.") from error
        addresses = [ip_address(str(address[0]).partition("%")[0]) for *_, address in found]
        if not all(map(self._is_permitted, addresses)):
            raise AddressRefusedError
        # Not every network has IPv6.
        return min(addresses, key=lambda address: address.version)

    def _is_permitted(self, address: Address) -> bool:
        if isinstance(address, IPv6Address):
            address = _embedded(address) or address
        public = address.is_global and not address.is_multicast
        if isinstance(address, IPv6Address):
            public = public and address in GLOBAL_UNICAST
        return public or any(address in network for network in self._allowed)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that this one leads to: mapped, by NAT64, or by 6to4."""
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
