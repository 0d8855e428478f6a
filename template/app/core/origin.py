"""Where a request comes from."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.requests import HTTPConnection

MAX_USER_AGENT = 200

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Origin:
    """The client's address, as the server tells it, and what it calls itself."""

    address: IPv4Address | IPv6Address | None
    user_agent: str

    @classmethod
    def of(cls, connection: HTTPConnection) -> "Origin":
        """Read it from the request.

        No forwarding header is believed here: the server reads `X-Forwarded-For`, and only from
        the proxies of `FORWARDED_ALLOW_IPS`.
        """
        host = connection.client.host if connection.client else ""
        try:
            address = ip_address(host)
        except ValueError:  # a Unix socket has no address
            return cls(None, _user_agent(connection))
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        return cls(address, _user_agent(connection))

    @property
    def network(self) -> Network | None:
        """What one client commands: an IPv4 address, or the /64 that every IPv6 client has."""
        if self.address is None:
            return None
        length = 64 if isinstance(self.address, IPv6Address) else 32
        return ip_network((self.address, length), strict=False)


def _user_agent(connection: HTTPConnection) -> str:
    return connection.headers.get("user-agent", "")[:MAX_USER_AGENT].replace("\0", "")
