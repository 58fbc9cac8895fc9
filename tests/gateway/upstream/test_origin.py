from __future__ import annotations

import pytest

from innoai.gateway.upstream import Origin


@pytest.mark.parametrize(
    ("base_url", "origin", "prefix", "authority"),
    [
        ("http://127.0.0.1:9000/v1", Origin("http", "127.0.0.1", 9000), b"/v1", b"127.0.0.1:9000"),
        ("https://API.Example.com", Origin("https", "api.example.com", 443), b"", b"api.example.com"),
        ("HTTP://host/", Origin("http", "host", 80), b"", b"host"),
        ("http://host:443/a//b///", Origin("http", "host", 443), b"/a//b", b"host:443"),
        ("https://host:443/v1%20x/", Origin("https", "host", 443), b"/v1%20x", b"host"),
        ("http://[::1]/v1", Origin("http", "::1", 80), b"/v1", b"[::1]"),
        ("https://[2001:DB8::1]:8443", Origin("https", "2001:db8::1", 8443), b"", b"[2001:db8::1]:8443"),
        ("http://model_server.svc.:1", Origin("http", "model_server.svc.", 1), b"", b"model_server.svc.:1"),
    ],
)
def test_a_base_url_is_read(base_url: str, origin: Origin, prefix: bytes, authority: bytes):
    assert Origin.parse(base_url) == (origin, prefix)
    assert origin.authority == authority


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "host",
        "host:80",
        "//host",
        "ftp://host",
        "unix:/a",
        "http://",
        "http:///v1",
        "http://:80",
        "http://host:",
        "http://host:0",
        "http://host:65536",
        "http://host:-1",
        "http://host:8o",
        "http://host:٣",
        "http://user@host",
        "http://user:hunter2@host",
        "http://host/?a=b",
        "http://host/?",
        "http://host#",
        "http://host/#a",
        "http://ho st",
        "http://host/a b",
        "http://host/\n",
        "\thttp://host",
        "http://höst",
        "http://host\\a",
        "http://-host",
        "http://a..b",
        "http://" + "a" * 64,
        "http://" + "a." * 130,
        "http://::1",
        "http://[::1",
        "http://[::1]x",
        "http://[::1]x:80",
        "http://[host]",
        "http://[fe80::1%eth0]",
        "http://[v1.a]",
    ],
)
def test_what_is_no_base_url_is_refused_without_being_repeated(base_url: str):
    with pytest.raises(ValueError, match="base URL") as refusal:
        Origin.parse(base_url)
    assert "hunter2" not in str(refusal.value)
