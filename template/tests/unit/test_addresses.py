"""Which addresses may be called. Nothing is connected to here."""

from ipaddress import ip_address, ip_network

import pytest

from app.outbound.addresses import may_be_called

PUBLIC = [
    "1.1.1.1",
    "93.184.216.34",
    "168.63.129.15",
    "2606:4700:4700::1111",
    "2620:4f:8000::1",
    "2001:4860:4860::8888",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
]

METADATA = [
    "100.100.100.200",
    "168.63.129.16",
    "169.254.0.23",
    "169.254.42.42",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "192.0.0.192",
    "fd00:42::42",
    "fd00:c1::a9fe:a9fe",
    "fd00:ec2::23",
    "fd00:ec2::254",
    "fd20:ce::254",
]

RESERVED = [
    "0.0.0.1",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "161.26.0.10",
    "166.8.0.1",
    "172.16.0.1",
    "192.0.0.1",
    "192.0.0.9",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:0:7f00:1",
    "64:ff9b:1::a9fe:a9fe",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:101:101::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


def embeddings(address: str) -> list[str]:
    """Return the IPv6 addresses that lead to an IPv4 address."""
    number = int(ip_address(address))
    high, low = f"{number >> 16:x}", f"{number & 0xFFFF:x}"
    obfuscated = f"{~number >> 16 & 0xFFFF:x}:{~number & 0xFFFF:x}"  # RFC 4380, section 4
    return [
        f"::ffff:{high}:{low}",
        f"64:ff9b::{high}:{low}",
        f"2002:{high}:{low}::1",
        f"2001:0:{high}:{low}:0:0:{obfuscated}",
        f"::{high}:{low}",
    ]


@pytest.mark.parametrize("address", PUBLIC)
def test_x22_public_addresses(address: str) -> None:
    """X22: those may be called."""
    assert may_be_called(ip_address(address))


@pytest.mark.parametrize("address", METADATA + RESERVED)
def test_x22_addresses_inside(address: str) -> None:
    """X22: those may not, whatever this version of Python takes for global."""
    assert not may_be_called(ip_address(address))


@pytest.mark.parametrize("address", [each for each in METADATA + RESERVED if ":" not in each])
def test_x22_embedded_addresses(address: str) -> None:
    """X22: mapped, by NAT64, 6to4 and Teredo, and in the form that was once compatible."""
    embedded = map(ip_address, embeddings(address))
    assert [each for each in embedded if may_be_called(each)] == []


@pytest.mark.parametrize("address", METADATA)
def test_x22_metadata_is_never_called(address: str) -> None:
    """X22: not even if a network around it is allowed."""
    everything = [ip_network("0.0.0.0/0"), ip_network("::/0")]
    assert not may_be_called(ip_address(address), everything)


def test_x22_networks_may_be_allowed() -> None:
    """X22: in each form of an address."""
    allowed = [ip_network("10.1.0.0/16"), ip_network("fd12::/16")]
    assert may_be_called(ip_address("10.1.2.3"), allowed)
    assert may_be_called(ip_address("::ffff:10.1.2.3"), allowed)
    assert may_be_called(ip_address("fd12::1"), allowed)
    assert not may_be_called(ip_address("10.2.0.1"), allowed)
