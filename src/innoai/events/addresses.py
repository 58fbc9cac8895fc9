"""Where endpoints may be: URLs are read strictly, and a host's addresses are judged once and then kept to.

A tenant chooses the URL and our network sends the request, so an address inside it is none of the
tenant's business (server-side request forgery). A name is resolved, every address that it has is judged, and
the connection is made to one of exactly those: a second look at the name could give another answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from innoai.access.networks import Network, Networks, parse_address, parse_network, parse_networks

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_URL = 2048
PORTS = {"http": 80, "https": 443}
URL_PATTERN = (
    r"^https?://(?:[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\.){0,5}[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?"
    r"(?::[1-9][0-9]{0,3})?(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]{0,200})?(?:\?[A-Za-z0-9._~=&%-]{0,200})?$(?!\n)"
)
"""What read_url takes, as a regular expression for schemas; literal addresses and odder URLs are left out."""

_CHARACTERS = re.compile(r"[!-~]+", re.ASCII)
_BRACKETED = re.compile(r"\[[0-9A-Fa-f:.]+\](?::[0-9]+)?", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?", re.ASCII)

# The IANA special-purpose registries, with multicast, and Azure's virtual public address of the host.
_NOT_PUBLIC = parse_networks(
    (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
    )
)
_GLOBAL_V6 = parse_network("2000::/3")
# IPv6 addresses that stand for an IPv4 address, and how far from the right that is: NAT64 and 6to4.
_EMBEDDING: Sequence[tuple[Network, int]] = (
    (parse_network("64:ff9b::/96"), 0),
    (parse_network("2002::/16"), 80),
)
_V4_BITS = 0xFFFFFFFF


class AddressRefused(Exception):
    """An endpoint is where none may be; the sentence is for the tenant."""


@dataclass(frozen=True, slots=True)
class Url:
    """A URL of an endpoint, taken apart. `authority` is host and port as written, `target` path and query."""

    scheme: str
    authority: str
    host: str
    port: int
    target: str

    @property
    def receiver(self) -> tuple[str, str, int]:
        """Who is asked: what two URLs have in common when they differ in path and query alone."""
        return self.scheme, self.host, self.port


def read_url(text: str) -> Url:
    """The URL of an endpoint. ValueError says what is wrong with it."""
    if not 1 <= len(text) <= MAX_URL:
        raise ValueError(f"write a URL of at most {MAX_URL} characters")
    if _CHARACTERS.fullmatch(text) is None or "\\" in text:
        raise ValueError("write it in printable ASCII without spaces: names as xn--…, paths percent-encoded")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("its host or port is not valid") from None
    if parts.scheme not in PORTS:
        raise ValueError("write a URL that begins with https:// or http://")
    if "@" in parts.netloc:
        raise ValueError("a URL with a user or password is not taken; put credentials into headers")
    if "#" in text:
        raise ValueError("leave the fragment out; it is never sent")
    host = parts.hostname or ""
    bracketed = "[" in parts.netloc
    if bracketed and _BRACKETED.fullmatch(parts.netloc) is None:
        raise ValueError("its host or port is not valid")
    if port == 0 or parts.netloc.endswith(":") or not _is_host(host, bracketed=bracketed):
        raise ValueError("its host or port is not valid")
    query = f"?{parts.query}" if parts.query else ""
    return Url(parts.scheme, parts.netloc, host, port or PORTS[parts.scheme], (parts.path or "/") + query)


def refuse_literal(url: Url, allowed: Networks) -> None:
    """Refuse a URL whose host is an address, however it is spelled, where no endpoint may be.

    Raises:
        AddressRefused.
    """
    for address in _literal(url):
        _judge(address, allowed, f"{address} is not a public address")


async def resolve(url: Url, allowed: Networks) -> list[str]:
    """The addresses that may be connected to, in the resolver's order.

    Raises:
        AddressRefused: one of the host's addresses is none for endpoints.
        OSError: the name cannot be resolved.
    """
    refuse_literal(url, allowed)
    addresses = _literal(url) or await _look_up(url)
    for address in addresses:
        # Which one it is, inside the operator's network, is not told to the tenant.
        _judge(address, allowed, f"{url.host} is at an address that is not public")
    return addresses


def is_public(address: int) -> bool:
    """Whether an address, a number of access.networks, is anybody's and not of some network alone."""
    if address.bit_length() <= 32:
        return address not in _NOT_PUBLIC
    for network, shift in _EMBEDDING:
        if network.first <= address <= network.last:
            return is_public((address >> shift) & _V4_BITS)
    return _GLOBAL_V6.first <= address <= _GLOBAL_V6.last and address not in _NOT_PUBLIC


def _judge(text: str, allowed: Networks, otherwise: str) -> None:
    address = parse_address(text)
    if not is_public(address) and _meant(address) not in allowed:
        raise AddressRefused(f"{otherwise}; the operator may allow its network by webhooks.allowed_networks")


def _meant(address: int) -> int:
    """The IPv4 address that an IPv6 address stands for, else the address itself."""
    for network, shift in _EMBEDDING:
        if network.first <= address <= network.last:
            return (address >> shift) & _V4_BITS
    return address


def _is_host(host: str, *, bracketed: bool) -> bool:
    if not bracketed:
        return _HOST.fullmatch(host) is not None and ".." not in host
    try:
        parse_address(host)
    except ValueError:
        return False
    return ":" in host


def _literal(url: Url) -> list[str]:
    """The address that the host is, in any spelling that resolvers take, as 127.1; [] for a name."""
    try:
        host = url.host.removesuffix(".")
        found = socket.getaddrinfo(host, url.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return []
    return [str(entry[4][0]) for entry in found]


async def _look_up(url: Url) -> list[str]:
    """Ask the system's resolver in a thread of its own.

    A pool would let names whose servers never answer hold up all others; and a thread that still waits
    holds up the end of nothing.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def settle(addresses: list[str], error: Exception | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(addresses)
        else:
            answer.set_exception(error)

    def ask() -> None:
        addresses: list[str] = []
        problem: Exception | None = None
        try:
            found = socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        except (OSError, UnicodeError) as error:
            problem = OSError(f"{url.host} cannot be resolved ({error})")
        with contextlib.suppress(RuntimeError):
            # The loop may have ended meanwhile.
            loop.call_soon_threadsafe(settle, addresses, problem)

    threading.Thread(target=ask, name="webhook-resolver", daemon=True).start()
    return await answer
