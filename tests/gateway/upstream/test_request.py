from __future__ import annotations

import pytest

from innoai.gateway.upstream import RequestHead
from innoai.gateway.upstream.request import framed, prepare

AUTHORITY = b"upstream:8000"
KIBIBYTE = 1 << 10


def written(target: bytes = b"/v1/x?y=1", *headers: tuple[bytes, bytes], body: bytes = b"{1}") -> bytes:
    return b"".join(framed(prepare(RequestHead(target, list(headers)), AUTHORITY), body))


def test_a_request_is_written_with_host_and_length():
    assert written(b"/v1/x?y=1", (b"accept", b"a"), (b"x-b", b"")) == (
        b"POST /v1/x?y=1 HTTP/1.1\r\nhost: upstream:8000\r\naccept: a\r\nx-b: \r\n"
        b"content-length: 3\r\n\r\n{1}"
    )


def test_a_request_without_headers_is_written_with_host_and_length():
    assert written() == b"POST /v1/x?y=1 HTTP/1.1\r\nhost: upstream:8000\r\ncontent-length: 3\r\n\r\n{1}"


@pytest.mark.parametrize("size", [0, 1, 64 * KIBIBYTE, 64 * KIBIBYTE + 1])
def test_a_body_of_any_size_stands_behind_its_length(size: int):
    assert written(body=bytes(size)).endswith(b"\r\ncontent-length: %d\r\n\r\n%b" % (size, bytes(size)))


def test_a_big_body_is_not_copied():
    body = bytes(KIBIBYTE**2)
    assert framed(prepare(RequestHead(b"/", []), AUTHORITY), body)[1] is body


@pytest.mark.parametrize("name", [b"host", b"content-length", b"transfer-encoding"])
def test_host_and_framing_are_written_anew(name: bytes):
    assert written(b"/", (name, b"99"), (b"a", b"b"), (name, b"98")) == (
        b"POST / HTTP/1.1\r\nhost: upstream:8000\r\na: b\r\ncontent-length: 3\r\n\r\n{1}"
    )


@pytest.mark.parametrize("junk", [b"\r", b"\n", b"\r\n", b"\0", b"\r\nx: y"])
@pytest.mark.parametrize("place", ["target", "name", "value", "first value"])
def test_a_line_break_or_nul_is_refused_wherever_it_stands(place: str, junk: bytes):
    for text in (junk, b"a" + junk, junk + b"a", b"a" + junk + b"a"):
        with pytest.raises(ValueError, match="target" if place == "target" else "header"):
            written(
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
        written(b"/", (name, b"a"))


@pytest.mark.parametrize(
    "target", [b"", b"*", b"x", b"http://other/", b"/a b", b"/a\tb", b"/\x7f", b"/ HTTP/1.1"]
)
def test_a_target_that_is_no_path_is_refused(target: bytes):
    with pytest.raises(ValueError, match="target"):
        written(target)
