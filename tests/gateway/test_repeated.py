"""Heads known by their bytes: whatever they are taken for, a parser would have taken them for the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, HttpResponseParser
from hypothesis import example, given
from hypothesis import strategies as st

from innoai.gateway.repeated import RepeatedBodiless, RepeatedChunked, RepeatedHead

if TYPE_CHECKING:
    from collections.abc import Callable

Header = tuple[bytes, bytes]
Message = tuple[bytes, list[Header], bytes]
"""What begins it, its headers but for Content-Length, and its body."""

REQUEST = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\nx-a: b\r\n\r\nbody"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nContent-Length:4\r\n\r\nbody"

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nx-a: b\r\n\r\n3\r\nbod\r\n2\r\ny!\r\n0\r\n\r\n"


class Reader:
    """What a parser makes of some bytes: the messages that are whole, and what comes after them."""

    def __init__(self, make: Callable[[Reader], HttpRequestParser | HttpResponseParser]) -> None:
        self.whole: list[Message] = []
        self.under_way = False
        self.is_kept = False
        self._parser = make(self)
        self._start = b""
        self._headers: list[Header] = []
        self._body = b""

    def feed(self, data: bytes) -> bool:
        """Whether it was accepted."""
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            return False
        return True

    def on_message_begin(self) -> None:
        self.under_way = True
        self._start, self._headers, self._body = b"", [], b""

    def on_url(self, url: bytes) -> None:
        self._start += url

    def on_status(self, status: bytes) -> None:
        self._start += status

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() != b"content-length":
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        if isinstance(parser, HttpRequestParser):
            self._start += parser.get_method()
        else:
            self._start += b"%d" % parser.get_status_code()
        self._start += parser.get_http_version().encode()
        self.is_kept = parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.under_way = False
        self.whole.append((self._start, self._headers, self._body))


def cut_and_changed(original: bytes) -> st.SearchStrategy[bytes]:
    """The message with pieces taken out, doubled, or put in, as when a connection goes wrong."""
    places = st.integers(0, len(original))
    characters = [b"", b" ", b"\t", b"\n", b"\0", b"+", b"-", b"0", b"1", b"4", b"9", b"\xb2"]
    lines = [b"X: y\r\n", b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n", b"\r\n"]
    junk = st.sampled_from([*characters, *lines, b"body", b"1234567890"])

    def changed(start: int, end: int, put: bytes) -> bytes:
        return original[:start] + put + original[max(start, end) :]

    near = places.flatmap(
        lambda start: st.builds(changed, st.just(start), st.integers(start, start + 4), junk)
    )
    return st.one_of(near, st.builds(changed, places, places, junk), st.builds(bytes.__add__, near, near))


def check(learnt: bytes, data: bytes, kind: type[HttpRequestParser | HttpResponseParser]) -> None:
    """The promise: what `body_of` gives is what a parser would have given, and nothing was left over."""
    reader = Reader(kind)
    if not (reader.feed(learnt) and len(reader.whole) == 1 and reader.is_kept and not reader.under_way):
        return
    head = RepeatedHead.learn(learnt) or RepeatedChunked.learn(learnt)
    if head is None:
        return
    for _ in range(2):
        body = head.body_of(data)
        if body is None:
            continue
        assert reader.feed(data)
        assert not reader.under_way
        first, *others = reader.whole
        assert [(*first[:2], body)] == others[-1:]


@given(cut_and_changed(REQUEST))
@example(REQUEST)
@example(REQUEST.replace(b" 4\r", b" 04\r"))
@example(REQUEST.replace(b" 4\r", b" +4\r"))
@example(REQUEST.replace(b" 4\r", b" 4 \r"))
@example(REQUEST.replace(b" 4\r", b" 0000000004\r"))
@example(REQUEST.replace(b" 4\r\n", b" 0\r\n").removesuffix(b"body"))
def test_a_request_with_a_learnt_head_is_what_a_parser_reads(data: bytes) -> None:
    check(REQUEST, data, HttpRequestParser)


@given(cut_and_changed(ANSWER))
def test_an_answer_with_a_learnt_head_is_what_a_parser_reads(data: bytes) -> None:
    check(ANSWER, data, HttpResponseParser)


@given(cut_and_changed(CHUNKED))
@example(CHUNKED)
@example(CHUNKED.replace(b"\r\n2\r\n", b"\r\n2;a=b\r\n"))
@example(CHUNKED.replace(b"\r\n2\r\n", b"\r\n0x2\r\n"))
@example(CHUNKED.replace(b"\r\n2\r\n", b"\r\n+2\r\n"))
@example(CHUNKED.replace(b"\r\n2\r\n", b"\r\n2 \r\n"))
@example(CHUNKED.replace(b"\r\n2\r\n", b"\r\n2\n"))
@example(CHUNKED.replace(b"\r\n0\r\n\r\n", b"\r\n0\r\nx: y\r\n\r\n0\r\n\r\n"))
def test_chunks_behind_a_learnt_head_are_what_a_parser_reads(data: bytes) -> None:
    check(CHUNKED, data, HttpResponseParser)


@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=8))
def test_a_body_in_a_few_chunks_is_known(chunks: list[bytes]) -> None:
    head = RepeatedChunked.learn(CHUNKED)
    assert head is not None
    start = CHUNKED[: CHUNKED.index(b"\r\n\r\n") + 4]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    assert head.body_of(start + framed + b"0\r\n\r\n") == b"".join(chunks)
    for wrong in (framed, framed + b"0\r\n", framed + b"0\r\n\r\nx", framed * 9 + b"0\r\n\r\n"):
        assert head.body_of(start + wrong) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        CHUNKED[:40],
        ANSWER,
        CHUNKED.replace(b"chunked", b"gzip, chunked"),
        CHUNKED.replace(b"x-a: b", b"transfer-encoding: chunked"),
        CHUNKED.replace(b"x-a: b", b"content-length: 5"),
        CHUNKED.replace(b"Transfer-", b"X-Transfer-"),
    ],
)
def test_a_head_that_is_not_framed_by_chunks_alone_is_not_learnt(data: bytes) -> None:
    assert RepeatedChunked.learn(data) is None


@given(cut_and_changed(REQUEST), cut_and_changed(REQUEST))
def test_whatever_head_a_parser_accepts_may_be_learnt(learnt: bytes, data: bytes) -> None:
    """The lesson itself is odd, too; what follows is the same, or odd in its own way."""
    check(learnt, learnt, HttpRequestParser)
    check(learnt, data, HttpRequestParser)


@given(st.lists(st.binary(max_size=1200), max_size=6))
def test_bodies_of_any_length_are_known_one_after_another(bodies: list[bytes]) -> None:
    head = RepeatedHead.learn(REQUEST)
    assert head is not None
    for body in bodies:
        assert (
            head.body_of(REQUEST.replace(b": 4\r", b": %d\r" % len(body)).removesuffix(b"body") + body)
            == body
        )


@pytest.mark.parametrize(
    "data",
    [
        REQUEST[:-1],
        REQUEST + b"x",
        REQUEST + REQUEST,
        b"\r\n" + REQUEST,
        REQUEST.removesuffix(b"body"),
        REQUEST.replace(b"x-a: b", b"x-a: c"),
        REQUEST.replace(b"x-a: b", b"X-a: b"),
        REQUEST.replace(b"x-a: b", b"x-a:  b"),
        REQUEST.replace(b"host", b"Host"),
        REQUEST.replace(b"POST", b"PUT "),
        REQUEST.replace(b"completions", b"completion?"),
        REQUEST.replace(b"/1.1", b"/1.0"),
        REQUEST.replace(b" 4\r", b" +4\r"),
        REQUEST.replace(b" 4\r", b" -4\r"),
        REQUEST.replace(b" 4\r", b"  4\r"),
        REQUEST.replace(b" 4\r", b" 4 \r"),
        REQUEST.replace(b" 4\r", b" 4_\r"),
        REQUEST.replace(b" 4\r", b" \r"),
        REQUEST.replace(b" 4\r", b" 3\r"),
        REQUEST.replace(b" 4\r", b" 5\r"),
        REQUEST.replace(b" 4\r", b" 4000000000\r"),
        REQUEST.replace(b" 4\r\n", b" 4\r\ncontent-length: 4\r\n"),
        REQUEST.replace(b" 4\r\n", b" 4\r\ntransfer-encoding: chunked\r\n"),
        b"",
    ],
)
def test_anything_but_the_same_head_and_just_its_body_is_not_known(data: bytes) -> None:
    head = RepeatedHead.learn(REQUEST)
    assert head is not None
    assert head.body_of(data) is None
    assert head.body_of(REQUEST) == b"body"
    assert head.body_of(data) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"POST / HTTP/1.1\r\ncontent-length: 4\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\n\r\nPOST / HTTP/1.1\r\ncontent-length: 4\r\n\r\nbody",
        b"POST / HTTP/1.1\r\ncontent-length: 4\r\ncontent-length: 4\r\n\r\nbody",
        b"POST / HTTP/1.1\r\nContent-Length: 4\r\nx: y\r\ncontent-length: 4\r\n\r\nbody",
        b"POST / HTTP/1.1\r\nx-content-length: 4\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 0000000004\r\n\r\nbody",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    ],
)
def test_a_head_without_just_one_short_content_length_is_not_learnt(data: bytes) -> None:
    assert RepeatedHead.learn(data) is None


QUESTION = b"GET /v1/auth/validate HTTP/1.1\r\nhost: x\r\nx-content-length: 5\r\n\r\n"


def test_a_request_without_a_body_is_known_by_all_of_its_bytes() -> None:
    known = RepeatedBodiless.learn(QUESTION)
    assert known is not None
    assert known.body_of(QUESTION) == b""
    for other in (QUESTION[:-1], QUESTION + b"x", QUESTION * 2, QUESTION.replace(b"x\r", b"y\r"), b""):
        assert known.body_of(other) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        QUESTION[:-1],
        QUESTION + b"GET",
        QUESTION * 2,
        *(
            QUESTION.replace(b"x-content-length: 5", line)
            for line in (
                b"Content-Length: 5",
                b"content-length:0000000000005",
                b"Transfer-Encoding: chunked",
                b"transfer-encoding:\tgzip, chunked",
            )
        ),
    ],
)
def test_a_head_with_a_body_to_come_is_no_whole_request(data: bytes) -> None:
    assert RepeatedBodiless.learn(data) is None
