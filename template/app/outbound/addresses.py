"""Addresses that URLs of clients may lead to (OWASP: server-side request forgery)."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network

from app.server.address import Address, Network

METADATA: Sequence[Network] = tuple(
    ip_network(network)
    for network in (
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure, a public address
        "169.254.0.0/16",  # link-local: AWS, Azure, Google Cloud, Oracle, OpenStack, Tencent Cloud
        "192.0.0.192",  # Oracle Cloud
        "fd00:42::42",  # Scaleway
        "fd00:c1::a9fe:a9fe",  # Oracle Cloud
        "fd00:ec2::/32",  # AWS
        "fd20:ce::254",  # Google Cloud
    )
)
"""Metadata services of cloud providers, which hand out credentials. They are never called."""

RESERVED: Sequence[Network] = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "161.26.0.0/16",  # services inside of IBM Cloud
        "166.8.0.0/14",  # the same
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "2001::/23",  # with Teredo, which leads to an IPv4 address
        "2001:db8::/32",
        "2002::/16",  # 6to4 does as well
        "3fff::/20",
    )
)
"""The special-purpose registries of IANA (RFC 6890). Versions of `is_global` differ on them."""

GLOBAL_UNICAST = IPv6Network("2000::/3")
"""The IPv6 addresses that IANA has allocated for general use."""

NAT64 = IPv6Network("64:ff9b::/96")
"""IPv4 addresses as seen from a network that has only IPv6 (RFC 6052)."""


def may_be_called(address: Address, allowed: Sequence[Network] = ()) -> bool:
    """Return whether the address is public, or in a network that is allowed in addition."""
    address = _embedded(address) or address
    if _is_in(METADATA, address):
        return False
    return _is_public(address) or _is_in(allowed, address)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast and not _is_in(RESERVED, address)


def _is_in(networks: Sequence[Network], address: Address) -> bool:
    return any(address in network for network in networks)


def _embedded(address: Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address leads to: mapped, or by NAT64."""
    if not isinstance(address, IPv6Address):
        return None
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped
