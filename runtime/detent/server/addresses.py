"""Which addresses of the network a server may connect to when somebody else has named them."""

from __future__ import annotations

from enum import IntEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

__all__ = ["Reach", "refusal"]

Address = IPv4Address | IPv6Address


class Reach(IntEnum):
    """How far outgoing requests may go: into the internet, also to this machine itself, also into private networks."""

    PUBLIC = 0
    LOOPBACK = 1
    PRIVATE = 2


def _networks(*texts: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(IPv6Network(text) if ":" in text else IPv4Network(text) for text in texts)


#: Where clouds answer machines with their credentials; some of these look public or merely private.
_METADATA = _networks(
    "169.254.0.0/16",
    "100.100.100.200/32",
    "168.63.129.16/32",
    "192.0.0.192/32",
    "fd00:ec2::254/128",
    "fd20:ce::254/128",
)
_LOOPBACK = _networks("127.0.0.0/8", "::1/128")
_PRIVATE = _networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
#: What is no host's address on the internet, or leads to one of another kind.
_NEVER = _networks(
    "0.0.0.0/8", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/3", "2001::/23", "2001:db8::/32", "3fff::/20", "64:ff9b:1::/48",
)  # fmt: skip
#: The only addresses of the internet that IPv6 has so far.
_GLOBAL_V6 = IPv6Network("2000::/3")
#: Forms of IPv6 that stand for an address of IPv4, and how far to the right that one lies, in bits.
_CARRIERS = (
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("::ffff:0:0:0/96"), 0),
    (IPv6Network("::/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("2002::/16"), 80),
)
#: Addresses within a network whose last half holds one of IPv4 (ISATAP).
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


def refusal(text: str, reach: Reach) -> str | None:
    """Why a server may not connect to an address, or None when it may.

    Parameters:
      text: an address as a resolver gives it, of IPv4 or IPv6. An address of IPv6 that stands for one of IPv4 is judged
        as that one.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return f"{text!r} is not an address"
    carried = _carried(address)
    if carried is not None:
        address = carried
    kind = _kind(address, reach)
    return None if kind is None else f"{text} is {kind}"


def _kind(address: Address, reach: Reach) -> str | None:
    if _within(address, _METADATA):
        return "link-local or a cloud's metadata service"
    if _within(address, _LOOPBACK):
        return None if reach >= Reach.LOOPBACK else "this machine itself"
    if _within(address, _PRIVATE):
        return None if reach >= Reach.PRIVATE else "in a private network"
    public = address in _GLOBAL_V6 if isinstance(address, IPv6Address) else True
    if not public or _within(address, _NEVER):
        return "not an address of the internet"
    return None


def _within(address: Address, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _carried(address: Address) -> IPv4Address | None:
    """The address of IPv4 that one of IPv6 stands for."""
    if not isinstance(address, IPv6Address):
        return None
    number = int(address)
    if number <= 1:  # unspecified, and this machine
        return None
    for network, shift in _CARRIERS:
        if address in network:
            return IPv4Address((number >> shift) & 0xFFFF_FFFF)
    if (number >> 32) & 0xFFFF_FFFF in _ISATAP:
        return IPv4Address(number & 0xFFFF_FFFF)
    return None
