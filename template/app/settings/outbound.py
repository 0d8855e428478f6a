"""Settings of calls to other services."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from app.settings.base import Seconds, split_commas
from app.settings.resilience import ResilienceSettings


def _parse_networks(value: object) -> object:
    networks = split_commas(value)
    return tuple(map(ip_network, networks)) if isinstance(networks, tuple) else networks


class OutboundSettings(ResilienceSettings):
    """Timeouts, retries and targets of calls to other services."""

    retry_max_attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """Attempts for a call that is idempotent."""

    retry_wait_multiplier: Annotated[float, Field(ge=1, le=10)] = 2
    """The factor by which each pause between two attempts grows."""

    outbound_connect_timeout: Seconds = 2
    """Seconds to wait for another service to accept a connection."""

    outbound_read_timeout: Seconds = 5
    """Seconds to wait for its complete response."""

    outbound_total_timeout: Seconds = 10
    """Seconds for all attempts, including the pauses."""

    outbound_max_size: Annotated[int, Field(ge=1)] = 262_144
    """The largest response that is read, in bytes."""

    outbound_allowed_networks: Annotated[
        tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_parse_networks)
    ] = ()
    """Private networks that may be called as well, as 10.1.2.0/24,fd00:1::/64."""
