"""Addresses of clients.

No forwarding header is read here: the server reads `X-Forwarded-For`, and only from the proxies in
`FORWARDED_ALLOW_IPS`.
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def client_address(scope: Scope) -> Address | None:
    """Return the address that a request comes from; None on a Unix socket, which has none."""
    client = scope.get("client")
    return _parse(client[0]) if client else None


def client_network(scope: Scope) -> str:
    """Return the network of one client: an IPv4 address, or a /64 for IPv6."""
    return _network_name(client_address(scope))


def network_of(address: Address | None, ipv4: int = 32, ipv6: int = 64) -> Network | None:
    """Return the network of the client at `address`, or a wider one by the lengths of prefixes."""
    if address is None:
        return None
    return ip_network((address, ipv6 if isinstance(address, IPv6Address) else ipv4), strict=False)


@lru_cache(maxsize=1024)
def _parse(host: str) -> Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


@lru_cache(maxsize=1024)
def _network_name(address: Address | None) -> str:
    return str(network_of(address))
