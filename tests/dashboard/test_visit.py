from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innoai.dashboard import cookies
from innoai.dashboard.app import _origin_of
from innoai.dashboard.control import _target
from innoai.dashboard.visit import is_host, local_path
from innoai.errors import InnoError


@pytest.mark.parametrize("path", ["/", "/settings/api-keys?search=a&status=active", "/a#b", "/%2F%2Fevil"])
def test_a_local_path_is_one_to_go_back_to(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "a",
        "//evil",
        "/\\evil",
        "\\/evil",
        "https://evil/",
        "/a\nb",
        "/a b",
        "/\t/evil",
        "javascript:x",
        "/é",
    ],
)
def test_anything_else_leads_home(path: str) -> None:
    assert local_path(path) == "/"
    assert local_path(path, "/settings/profile") == "/settings/profile"


@pytest.mark.parametrize(
    "stated", ["gateway.example.com", "localhost:8080", "127.0.0.1:80", "[::1]:8080", "[::1]"]
)
def test_an_address_is_made_of_a_host_that_is_one(stated: str) -> None:
    assert is_host(stated)


@pytest.mark.parametrize(
    "stated", ["", "[", "]", "a:b:c", "x:99999", "x:0", ":80", "[::1]x", "[:::::]", "a b", "a/b", "a@b"]
)
def test_no_address_is_made_of_any_other_host(stated: str) -> None:
    assert not is_host(stated)


@given(st.text())
def test_no_text_leads_to_another_server(text: str) -> None:
    found = local_path(text)
    assert found.startswith("/")
    assert not found.startswith(("//", "/\\"))
    assert found.isascii()
    assert found.isprintable()


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        (None, None),
        ("https://Gateway.Example.com/", "https://gateway.example.com"),
        ("https://gateway.example.com:443/base", "https://gateway.example.com"),
        ("https://gateway.example.com:8443", "https://gateway.example.com:8443"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(url: str | None, origin: str | None) -> None:
    assert _origin_of(url) == origin


def test_a_form_token_belongs_to_one_cookie() -> None:
    one, other = cookies.new_token(), cookies.new_token()
    assert cookies.is_form_token(cookies.form_token(one), one)
    assert not cookies.is_form_token(cookies.form_token(one), other)
    assert not cookies.is_form_token(one, one)
    assert not cookies.is_form_token("", one)
    assert not cookies.is_form_token("é", one)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("innoai_session={}", True),
        ("a=b; innoai_session={}; c", True),
        ("innoai_session={}x", False),
        ("x_innoai_session={}", False),
        ('innoai_session="{}"', False),
        ("", False),
    ],
)
def test_a_cookie_that_could_not_be_ours_is_not_read(header: str, found: bool) -> None:
    token = cookies.new_token()
    headers = [(b"cookie", header.format(token).encode())]
    assert cookies.read_token(headers, "innoai_session") == (token if found else None)


def test_what_is_put_into_a_path_stays_one_segment_of_it() -> None:
    values = {"key_id": "key_1", "limit": 20, "cursor": None, "search": "a&b", "empty": ""}
    assert _target("/v1/keys/{key_id}", values) == ("/v1/keys/key_1", "limit=20&search=a%26b")
    for odd in ("../members", "", ".", "..", "a/b", "a\0"):
        with pytest.raises(InnoError):
            _target("/v1/keys/{key_id}", {"key_id": odd})
