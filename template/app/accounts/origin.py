"""The origin of a request."""

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from app.server.address import Address, Network, client_address, network_of

MAX_USER_AGENT = 200


@dataclass(frozen=True, slots=True)
class Origin:
    """The client's address, as the server reports it, and its user agent."""

    address: Address | None
    user_agent: str

    @classmethod
    def of(cls, connection: HTTPConnection) -> "Origin":
        """Read it from the request."""
        user_agent = connection.headers.get("user-agent", "")[:MAX_USER_AGENT].replace("\0", "")
        return cls(client_address(connection.scope), user_agent)

    @property
    def network(self) -> Network | None:
        """The network of this client: an IPv4 address, or a /64 for IPv6."""
        return network_of(self.address)

    @property
    def wider_networks(self) -> tuple[Network | None, Network | None]:
        """What one site has, a /24 or a /48 for IPv6, and a part of a provider, a /16 or a /32."""
        return network_of(self.address, 24, 48), network_of(self.address, 16, 32)
