from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from innoai.access.networks import parse_networks
from innoai.events import addresses
from innoai.events import post as post_module
from innoai.events.post import MAX_ANSWER_BYTES, MAX_HEADER_CHARACTERS, MOST_READ, Answer, post
from tests.support.receiver import METADATA, Receiver

if TYPE_CHECKING:
    from pathlib import Path

LOOPBACK = parse_networks(["127.0.0.0/8"])
BODY = b'{"id":"evt_1"}'
HEADERS = [("content-type", "application/json"), ("webhook-id", "evt_1")]


async def send(url: str, seconds: float = 10.0) -> Answer:
    return await post(url, HEADERS, BODY, seconds=seconds, allowed=LOOPBACK)


async def test_the_receiver_gets_body_and_headers_as_they_are(receiver: Receiver) -> None:
    answer = await send(receiver.url("/ok?a=b%20c"))
    assert (answer.status, answer.body, answer.error, answer.succeeded) == (200, "so be it", None, True)
    (received,) = receiver.at("/ok?a=b%20c")
    assert received.body == BODY
    assert received.headers == {
        "host": receiver.url("").removeprefix("http://"),
        "content-length": str(len(BODY)),
        "content-type": "application/json",
        "webhook-id": "evt_1",
    }


@pytest.mark.parametrize("status", [400, 404, 410, 500, 503])
async def test_any_other_status_than_2xx_is_no_success(receiver: Receiver, status: int) -> None:
    answer = await send(receiver.url(f"/status/{status}"))
    assert (answer.status, answer.error, answer.succeeded) == (status, None, False)


async def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    answer = await send(receiver.url("/redirect"))
    assert answer.status == 302
    assert not answer.succeeded
    assert answer.headers["location"] == METADATA
    assert "not followed" in (answer.error or "")


@pytest.mark.parametrize("path", ["/hang", "/drip"])
async def test_an_answer_that_does_not_come_ends_in_time(receiver: Receiver, path: str) -> None:
    answer = await send(receiver.url(path), seconds=0.5)
    assert answer.status is None
    assert answer.error == "no answer within 0.5 seconds"


@pytest.mark.parametrize(
    ("path", "said"), [("/close", "the connection failed|not valid HTTP"), ("/garbage", "not valid HTTP")]
)
async def test_a_receiver_that_breaks_off_is_an_error_with_a_reason(
    receiver: Receiver, path: str, said: str
) -> None:
    answer = await send(receiver.url(path))
    assert answer.status is None
    assert any(part in (answer.error or "") for part in said.split("|")), answer.error


def test_a_connection_that_is_lost_before_it_is_used_is_an_error_with_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On uvloop, as the server runs: it forgets the socket of such a connection."""
    usual = post_module._Pinned._connect

    async def losing(*arguments: Any) -> Any:
        stream: Any = await usual(*arguments)
        stream._stream._stream._transport.abort()
        await asyncio.sleep(0.01)
        return stream

    monkeypatch.setattr(post_module._Pinned, "_connect", losing)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        answer = runner.run(send(f"http://127.0.0.1:{listener.getsockname()[1]}/"))
    assert answer.status is None
    assert "disconnected" in (answer.error or "")


async def test_nobody_at_the_port_is_an_error_with_a_reason() -> None:
    answer = await send("http://127.0.0.1:9/")
    assert (answer.error or "").startswith("the connection failed")


async def test_an_address_that_is_not_allowed_is_never_connected_to(receiver: Receiver) -> None:
    answer = await post(receiver.url("/ok"), HEADERS, BODY, seconds=10, allowed=parse_networks([]))
    assert (answer.error or "").startswith("refused: 127.0.0.1 is not a public address")
    assert receiver.at("/ok") == []


async def test_only_the_beginning_of_an_endless_answer_is_read(receiver: Receiver) -> None:
    answer = await send(receiver.url("/endless"))
    assert answer.succeeded
    assert answer.body == "x" * MAX_ANSWER_BYTES


async def answering(said: bytes, *, then_hold: bool = False) -> Answer:
    """What comes of a receiver that says these bytes."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(BODY)
        writer.write(said)
        if then_hold:
            await over.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        answer = await send(f"http://{host}:{port}/")
        over.set()
    return answer


async def test_a_status_counts_even_if_its_body_never_comes() -> None:
    answer = await answering(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab", then_hold=True)
    assert (answer.status, answer.body, answer.error) == (200, "ab", None)


async def test_a_body_that_is_no_text_is_shown_as_far_as_it_is() -> None:
    answer = await answering(b"HTTP/1.1 200 OK\r\n\r\n\x00\xffok")
    assert answer.body == "\ufffd\ufffdok"


async def test_a_head_without_an_end_is_refused() -> None:
    answer = await answering(b"HTTP/1.1 200 OK\r\n" + b"x-a: %s\r\n" % (b"a" * 90) * 20_000)
    assert answer.status is None
    assert answer.error is not None


async def test_of_large_headers_the_beginning_is_kept_and_repeats_are_joined() -> None:
    answer = await answering(
        b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nx-b: %s\r\nx-c: 3\r\n\r\n" % (b"b" * MAX_HEADER_CHARACTERS)
    )
    assert answer.headers == {"x-a": "1, 2"}


@pytest.mark.parametrize("head", [b"", b"x-a: b\r\n" * 40])
async def test_interim_responses_without_an_end_are_refused_long_before_the_time_is_over(head: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(BODY)
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"HTTP/1.1 103 Early Hints\r\n%s\r\n" % head * 100)
                await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        answer = await send(f"http://{host}:{port}/", seconds=60.0)
    assert answer.error == f"the connection failed: the answer goes on after {MOST_READ} bytes"


async def test_an_address_where_nobody_answers_leaves_time_for_the_next(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    monkeypatch.setattr(post_module, "CONNECT_PATIENCE", 0.2)
    port = int(receiver.url("").rpartition(":")[2])

    async def resolve(_url: addresses.Url, _allowed: Any) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    monkeypatch.setattr(addresses, "resolve", resolve)
    with socket.socket() as silent, contextlib.ExitStack() as callers:
        # Once its queue is full, whoever knocks hears nothing.
        silent.bind(("127.0.0.2", port))
        silent.listen(0)
        for _ in range(3):
            caller = callers.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(("127.0.0.2", port))
        answer = await send(f"http://hooks.example:{port}/ok")
    assert answer.succeeded


def certificate(directory: Path, *names: str) -> ssl.SSLContext:
    """A server's context with a certificate of its own making, which lies in `certificate.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A test")])
    now = datetime.datetime.now(datetime.UTC)
    alternatives: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address(each)) if each[0].isdigit() else x509.DNSName(each)
        for each in names
    ]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(key, hashes.SHA256())
    )
    (directory / "certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (directory / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "certificate.pem", directory / "key.pem")
    return context


@pytest.mark.parametrize(
    ("certified", "taken"), [("hooks.example", True), ("127.0.0.1", False), ("other.example", False)]
)
async def test_tls_verifies_the_name_while_the_judged_address_is_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certified: str, taken: bool
) -> None:
    served = certificate(tmp_path, certified)
    trusting = ssl.create_default_context(cafile=str(tmp_path / "certificate.pem"))
    monkeypatch.setattr(post_module, "_trust", lambda: trusting)
    asked: list[str] = []

    async def resolve(url: addresses.Url, _allowed: Any) -> list[str]:
        asked.append(url.host)
        return ["127.0.0.2", "127.0.0.1"]

    monkeypatch.setattr(addresses, "resolve", resolve)
    named: list[str | None] = []
    served.sni_callback = lambda _socket, name, _context: named.append(name)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(BODY)
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=served)
    async with server:
        port = server.sockets[0].getsockname()[1]
        answer = await send(f"https://hooks.example:{port}/")
    assert (asked, named) == (["hooks.example"], ["hooks.example"])
    assert answer.succeeded is taken
    if not taken:
        assert "certificate" in (answer.error or "")
