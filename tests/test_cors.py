from __future__ import annotations

import pytest

from innoai.config import ConfigError, load
from innoai.cors import ANY, NOWHERE, Cors

PAGE, OTHER = b"https://app.example.com", b"https://evil.example"


def test_every_page_may_read_what_is_for_every_page() -> None:
    assert dict(Cors([ANY]).headers(PAGE)) == {
        b"access-control-allow-origin": b"*",
        b"access-control-expose-headers": b"*",
    }


def test_a_named_page_may_and_no_other() -> None:
    cors = Cors([PAGE.decode()])
    assert dict(cors.headers(PAGE))[b"access-control-allow-origin"] == PAGE
    assert dict(cors.headers(PAGE))[b"vary"] == b"origin"
    assert cors.headers(OTHER) == []
    assert NOWHERE.headers(PAGE) == []


def test_who_is_no_page_is_told_nothing() -> None:
    assert Cors([ANY]).headers(None) == []


def test_a_preflight_says_what_may_be_sent() -> None:
    told = dict(Cors([ANY]).preflight(PAGE, ("GET", "POST"), b"authorization,x-stainless-os") or [])
    assert told[b"access-control-allow-methods"] == b"GET, POST"
    assert told[b"access-control-allow-headers"] == b"authorization,x-stainless-os"
    assert b"access-control-allow-credentials" not in told
    assert Cors([]).preflight(PAGE, ("GET",), None) is None


@pytest.mark.parametrize("wanted", [None, b"", b"a\x00b", b"a" * 2000])
def test_odd_names_of_headers_are_not_repeated(wanted: bytes | None) -> None:
    told = dict(Cors([ANY]).preflight(PAGE, ("GET",), wanted) or [])
    assert told[b"access-control-allow-headers"] == b"authorization, content-type"


@pytest.mark.parametrize(
    "origin", ["app.example.com", "https://app.example.com/", "https://app.example.com/v1", "null", ""]
)
def test_what_is_no_origin_stops_the_start(origin: str, tmp_path) -> None:
    file = tmp_path / "innoai.toml"
    file.write_text(f'[server]\ncors_origins = ["{origin}"]\n')
    with pytest.raises(ConfigError, match=r"cors_origins: .* is no origin; write it as browsers do"):
        load(str(file), {})


@pytest.mark.parametrize("origin", ["https://app.example.com", "http://localhost:3000", "http://[::1]:3000"])
def test_an_origin_is_what_browsers_send(origin: str) -> None:
    assert Cors([origin]).headers(origin.encode())
