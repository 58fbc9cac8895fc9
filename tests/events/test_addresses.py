from __future__ import annotations

import contextlib
import re
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innoai.access.networks import Networks, parse_address, parse_networks
from innoai.events.addresses import (
    MAX_URL,
    URL_PATTERN,
    AddressRefused,
    is_public,
    read_url,
    refuse_literal,
    resolve,
)

NOWHERE = Networks()
LOOPBACK = parse_networks(["127.0.0.0/8"])

PRIVATE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]


def resolved_to(monkeypatch: pytest.MonkeyPatch, *found: str) -> None:
    """Let every name have these addresses."""
    real = socket.getaddrinfo

    def answer(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("flags") == socket.AI_NUMERICHOST:
            return real(host, port, *args, **kwargs)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_some_network_alone_is_not_public(address: str) -> None:
    assert not is_public(parse_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_everybodys_is_public(address: str) -> None:
    assert is_public(parse_address(address))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("https://example.com", ("https", "example.com", 443, "/")),
        ("http://example.com:8080/a/b?c=d", ("http", "example.com", 8080, "/a/b?c=d")),
        ("HTTPS://Example.COM/%20", ("https", "example.com", 443, "/%20")),
        ("https://xn--bcher-kva.example?x", ("https", "xn--bcher-kva.example", 443, "/?x")),
        ("http://[2606:4700::1]:81/", ("http", "2606:4700::1", 81, "/")),
        ("http://my_host./", ("http", "my_host.", 80, "/")),
    ],
)
def test_a_url_is_taken_apart(text: str, read: tuple[str, str, int, str]) -> None:
    url = read_url(text)
    assert (url.scheme, url.host, url.port, url.target) == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "//example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https://",
        "https:///path",
        "https://:443/",
        "https://user@example.com/",
        "https://user:password@example.com/",
        "https://@example.com/",
        "https://example.com/#fragment",
        "https://example.com/#",
        "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:-1/",
        "https://example.com:/",
        "https://example.com:http/",
        "https://exa mple.com/",
        "https://example.com/\r\nhost: evil",
        "https://example.com/\x00",
        "https://example.com/\n",
        "\thttps://example.com/",
        "https://example.com\\@evil.example/",
        "https://bücher.example/",
        "https://example.com/ü",
        "https://exam..ple.com/",
        "https://-example.com/",
        "https://[::1/",
        "https://[127.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://[example.com]/",
        "https://[2606:4700::1111]evil.example/",
        "https://evil.example[2606:4700::1111]/",
        "https://[2606:4700::1111]evil:80/",
        "https://" + "a" * 254 + "/",
        "https://example.com/" + "a" * MAX_URL,
    ],
)
def test_a_url_that_could_be_read_in_two_ways_or_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_url(text)


@given(st.from_regex(re.compile(URL_PATTERN, re.ASCII)))
def test_what_the_schema_describes_is_taken(text: str) -> None:
    refuse_literal(read_url(text), NOWHERE)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert read_url(text).scheme in ("http", "https")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:7f00:1]",
    ],
)
def test_a_literal_address_is_refused_in_any_spelling_unless_it_is_allowed(host: str) -> None:
    url = read_url(f"http://{host}/")
    with pytest.raises(AddressRefused, match="not a public address"):
        refuse_literal(url, NOWHERE)
    refuse_literal(url, parse_networks(["127.0.0.0/8", "::1"]))


def test_an_embedded_address_is_allowed_where_the_address_in_it_is() -> None:
    url = read_url("http://[64:ff9b::7f00:1]/")
    refuse_literal(url, LOOPBACK)
    with pytest.raises(AddressRefused):
        refuse_literal(read_url("http://[64:ff9b::a00:1]/"), LOOPBACK)


async def test_a_public_literal_needs_no_resolver() -> None:
    assert await resolve(read_url("http://1.1.1.1/"), NOWHERE) == ["1.1.1.1"]


async def test_a_name_of_this_machine_is_refused_after_it_is_resolved() -> None:
    url = read_url("http://localhost/")
    refuse_literal(url, NOWHERE)
    with pytest.raises(AddressRefused):
        await resolve(url, NOWHERE)
    assert set(await resolve(url, parse_networks(["127.0.0.0/8", "::1"]))) <= {"127.0.0.1", "::1"}


async def test_one_private_address_among_public_ones_refuses_the_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolved_to(monkeypatch, "1.1.1.1", "10.0.0.1")
    with pytest.raises(AddressRefused, match=r"example\.com is at an address that is not public") as refused:
        await resolve(read_url("https://example.com/"), NOWHERE)
    # Whoever may create endpoints learns nothing of the addresses inside.
    assert "10.0.0.1" not in str(refused.value)
    resolved_to(monkeypatch, "1.1.1.1", "8.8.8.8", "1.1.1.1")
    assert await resolve(read_url("https://example.com/"), NOWHERE) == ["1.1.1.1", "8.8.8.8"]


async def test_a_name_that_nobody_knows_is_an_error_of_the_network() -> None:
    with pytest.raises(OSError, match="cannot be resolved"):
        await resolve(read_url("https://nobody.invalid/"), NOWHERE)
