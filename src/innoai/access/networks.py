"""Addresses and CIDR networks as integers, and the client's address behind trusted proxies.

The `ipaddress` module takes 4.5 µs for what two integer comparisons do. An IPv4 address is its
32-bit number; an IPv6 address is its 128-bit number plus 2**128, so that the two families
never meet and one comparison serves both. IPv4-mapped addresses (RFC 4291 §2.5.5.2) are IPv4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_V6 = 1 << 128
_HOST_HALF = (1 << 64) - 1
_MAPPED = 0xFFFF << 32
_PREFIX = re.compile(r"\d{1,3}", re.ASCII)
_MAPPED_BITS = 96


def _address_patterns() -> tuple[str, str]:
    octet = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
    group = "[0-9A-Fa-f]{1,4}"
    spellings = [f"(?:{group}:){{7}}{group}"]
    for before in range(8):
        left = f"{group}(?::{group}){{{before - 1}}}" if before else ""
        after = 7 - before
        right = f"(?:{group}(?::{group}){{0,{after - 1}}})?" if after else ""
        spellings.append(f"{left}::{right}")
    return rf"{octet}(?:\.{octet}){{3}}", f"(?:{'|'.join(spellings)})"


_V4_PATTERN, _V6_PATTERN = _address_patterns()
ADDRESS_PATTERN = f"^(?:{_V4_PATTERN}|{_V6_PATTERN})$"
"""What parse_address takes, as a regular expression for schemas; the few oddest spellings are left out."""
NETWORK_PATTERN = (
    f"^(?:{_V4_PATTERN}(?:/(?:3[0-2]|[12]?[0-9]))?|{_V6_PATTERN}(?:/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9]))?)$"
)
"""What parse_network takes, likewise."""


def parse_address(text: str) -> int:
    """The number of an IPv4 or IPv6 address; a zone (`fe80::1%eth0`) is ignored. ValueError otherwise."""
    try:
        if ":" not in text:
            return int.from_bytes(inet_pton(AF_INET, text))
        number = int.from_bytes(inet_pton(AF_INET6, text.partition("%")[0]))
    except (OSError, ValueError):
        # inet_pton says OSError for a bad address, and ValueError for one with a NUL in it.
        raise ValueError(f"{text!r} is not an IPv4 or IPv6 address") from None
    return number & 0xFFFFFFFF if number >> 32 == _MAPPED >> 32 else number | _V6


def format_address(address: int) -> str:
    """The usual text of an address number."""
    if address < _V6:
        return inet_ntop(AF_INET, address.to_bytes(4))
    return inet_ntop(AF_INET6, (address - _V6).to_bytes(16))


def site_of(address: int) -> int:
    """Who is behind an address: IPv4 itself, and of IPv6 the /64 that one site has at least."""
    return address if address < _V6 else address & ~_HOST_HALF


def is_v4(address: int) -> bool:
    """Whether it is an IPv4 address."""
    return address < _V6


@dataclass(frozen=True, slots=True, order=True)
class Network:
    """A CIDR block: its first and last address number."""

    first: int
    last: int

    def __contains__(self, other: Network) -> bool:
        return self.first <= other.first and other.last <= self.last

    def __str__(self) -> str:
        bits = 32 if self.last < _V6 else 128
        return f"{format_address(self.first)}/{bits - (self.last - self.first).bit_length()}"


def spanning(first: int, last: int) -> Network:
    """The smallest network that holds both addresses, which are of one family."""
    span = (1 << (first ^ last).bit_length()) - 1
    return Network(first & ~span, first | span)


def parse_network(text: str) -> Network:
    """A CIDR such as `10.0.0.0/8` or `2001:db8::/32`, or a single address. ValueError says what is wrong.

    Bits below the prefix are cleared: `10.1.2.3/8` is `10.0.0.0/8`.
    """
    host, slash, prefix = text.partition("/")
    try:
        address = parse_address(host)
    except ValueError:
        raise ValueError(
            f"{text!r} is not a network; write it like 203.0.113.0/24 or 2001:db8::/32"
        ) from None
    if not slash:
        return Network(address, address)
    written_bits = 128 if ":" in host else 32
    if _PREFIX.fullmatch(prefix) is None or int(prefix) > written_bits:
        raise ValueError(f"{text!r} has no prefix length from 0 to {written_bits} after the slash")
    host_bits = written_bits - int(prefix)
    if address < _V6 and host_bits > 32:
        # Written as IPv4-mapped, but wider than IPv4: a network of IPv6 addresses.
        address |= _MAPPED | _V6
    span = (1 << host_bits) - 1
    first = address & ~span
    return Network(first, first | span)


@dataclass(frozen=True, slots=True)
class Networks:
    """Where a key may be used from; no networks at all means from anywhere."""

    blocks: tuple[Network, ...] = ()

    def __contains__(self, address: int) -> bool:
        return any(block.first <= address <= block.last for block in self.blocks)

    def admit(self, address: int | None) -> bool:
        """Whether a caller at `address` passes; an unknown address passes only where all do."""
        return not self.blocks or (address is not None and address in self)

    def texts(self) -> tuple[str, ...]:
        """The networks in CIDR notation."""
        return tuple(str(block) for block in self.blocks)


@lru_cache(maxsize=4096)
def _shared(blocks: tuple[Network, ...]) -> Networks:
    return Networks(blocks)


def parse_networks(texts: Iterable[str]) -> Networks:
    """The networks of a list of CIDRs, in order and without repeats. ValueError as parse_network."""
    return _shared(tuple(dict.fromkeys(parse_network(text) for text in texts)))


def client_address(peer: int | None, forwarded_for: str, trusted: Networks) -> int | None:
    """The caller's address: the socket's, unless trusted proxies vouch for another.

    `forwarded_for` is X-Forwarded-For, several headers joined by commas. It is read right to left
    for as long as the hop that added an entry is trusted; where that is no address, nobody knows it.
    """
    address = peer
    if not forwarded_for or address is None or address not in trusted:
        return address
    for entry in reversed(forwarded_for.split(",")):
        try:
            address = parse_address(_without_port(entry.strip()))
        except ValueError:
            return None
        if address not in trusted:
            return address
    return address


def caller_address(peer: tuple[str, int] | None, forwarded_for: str, trusted: Networks) -> int | None:
    """The caller's address from the socket's and X-Forwarded-For; None where nobody can tell."""
    try:
        address = None if peer is None else parse_address(peer[0])
    except ValueError:
        return None
    return client_address(address, forwarded_for, trusted)


def _without_port(entry: str) -> str:
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry
