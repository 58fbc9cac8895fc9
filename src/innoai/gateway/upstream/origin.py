"""Where an upstream lives: scheme, host and port."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final, Self

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_LONGEST_NAME: Final = 253  # RFC 1035 §2.3.4, without the root's dot


@dataclass(frozen=True, slots=True)
class Origin:
    """One server as HTTP sees it (RFC 9110 §4.3.1). host: in lower case, an IPv6 address without brackets."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, base_url: str) -> tuple[Self, bytes]:
        """Split a base URL into its origin and the path prefix (without trailing slashes) for all targets.

        Raises ValueError, in words that do not repeat the URL since it might hold a password.
        """
        if not _PRINTABLE.fullmatch(base_url) or "\\" in base_url:
            raise ValueError("a base URL is printable ASCII without spaces and backslashes")
        if "?" in base_url or "#" in base_url:
            raise ValueError("a base URL has neither query nor fragment")
        scheme, _, rest = base_url.partition("://")
        scheme = scheme.lower()
        authority, slash, path = rest.partition("/")
        if scheme not in _DEFAULT_PORTS:
            raise ValueError("a base URL begins with http:// or https://")
        if "@" in authority:
            raise ValueError("a base URL holds no user name or password")
        host, port = _split_authority(authority)
        return cls(scheme, host, port or _DEFAULT_PORTS[scheme]), (slash + path).rstrip("/").encode()

    @property
    def authority(self) -> bytes:
        """The value of the Host header: the port is left out where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}").encode()


def _split_authority(authority: str) -> tuple[str, int | None]:
    host, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        return _host(authority), None
    if not port.isdigit() or not 0 < int(port) < 65_536:
        raise ValueError("the port of a base URL is a number from 1 to 65535")
    return _host(host), int(port)


def _host(host: str) -> str:
    host = host.lower()
    if host.startswith("[") and host.endswith("]"):
        return _ipv6(host[1:-1])
    if len(host) <= _LONGEST_NAME and all(map(_LABEL.fullmatch, host.removesuffix(".").split("."))):
        return host
    raise ValueError("the host of a base URL is a DNS name, an IPv4 address or an IPv6 address in brackets")


def _ipv6(text: str) -> str:
    if "%" in text:
        raise ValueError("the host of a base URL has no zone")
    try:
        return str(IPv6Address(text))
    except ValueError:
        raise ValueError("the host of a base URL is not an IPv6 address") from None
