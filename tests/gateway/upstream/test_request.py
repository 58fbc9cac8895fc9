from __future__ import annotations

import pytest

from innoai.gateway.upstream import RequestHead
from innoai.gateway.upstream.request import prepare

AUTHORITY = b"upstream:8000"


def encoded(
    method: bytes = b"POST",
    target: bytes = b"/v1/x?y=1",
    *headers: tuple[bytes, bytes],
    length: int = 3,
) -> bytes:
    return prepare(RequestHead(method, target, list(headers)), AUTHORITY).framed(length)


def test_a_request_is_written_with_host_and_length():
    assert encoded(b"POST", b"/v1/x?y=1", (b"accept", b"a"), (b"x-b", b"")) == (
        b"POST /v1/x?y=1 HTTP/1.1\r\nhost: upstream:8000\r\naccept: a\r\nx-b: \r\ncontent-length: 3\r\n\r\n"
    )


def test_a_request_without_headers_is_written_with_host_and_length():
    assert encoded() == b"POST /v1/x?y=1 HTTP/1.1\r\nhost: upstream:8000\r\ncontent-length: 3\r\n\r\n"


@pytest.mark.parametrize("name", [b"host", b"content-length", b"transfer-encoding"])
def test_host_and_framing_are_written_anew(name: bytes):
    assert encoded(b"PUT", b"/", (name, b"99"), (b"a", b"b"), (name, b"98")) == (
        b"PUT / HTTP/1.1\r\nhost: upstream:8000\r\na: b\r\ncontent-length: 3\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("method", "announced"), [(b"GET", False), (b"DELETE", False), (b"POST", True), (b"PATCH", True)]
)
def test_an_empty_body_is_announced_where_a_body_is_expected(method: bytes, announced: bool):
    assert (b"content-length: 0\r\n" in encoded(method, length=0)) is announced


@pytest.mark.parametrize("junk", [b"\r", b"\n", b"\r\n", b"\0", b"\r\nx: y"])
@pytest.mark.parametrize("place", ["method", "target", "name", "value", "first value"])
def test_a_line_break_or_nul_is_refused_wherever_it_stands(place: str, junk: bytes):
    for text in (junk, b"a" + junk, junk + b"a", b"a" + junk + b"a"):
        with pytest.raises(
            ValueError, match=place.split()[-1] if place in ("method", "target") else "header"
        ):
            encoded(
                text if place == "method" else b"GET",
                b"/" + text if place == "target" else b"/",
                (b"x-first", text if place == "first value" else b"a"),
                (text if place == "name" else b"x-last", text if place == "value" else b"a"),
            )


@pytest.mark.parametrize(
    "name",
    [b"", b"a b", b"a:", b" a", b"content-length ", b"Content-Length", b"HOST", b"\xe4", b"a\t", b"(a)"],
)
def test_a_name_that_is_no_token_in_lower_case_is_refused(name: bytes):
    with pytest.raises(ValueError, match="header"):
        encoded(b"GET", b"/", (name, b"a"))


@pytest.mark.parametrize("method", [b"", b"GET /x", b"G(", b"CONNECT", b"HEAD"])
def test_a_method_that_cannot_be_sent_is_refused(method: bytes):
    with pytest.raises(ValueError, match="method"):
        encoded(method)


@pytest.mark.parametrize(
    "target", [b"", b"*", b"x", b"http://other/", b"/a b", b"/a\tb", b"/\x7f", b"/ HTTP/1.1"]
)
def test_a_target_that_is_no_path_is_refused(target: bytes):
    with pytest.raises(ValueError, match="target"):
        encoded(b"GET", target)
