"""Bytes to a server and bytes back, for requests that no HTTP client would send."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass
from typing import Any, Self

SECONDS = 15.0
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """One answer, read from the wire."""

    status_code: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


def exchange(address: tuple[str, int], *pieces: bytes) -> list[RawAnswer]:
    """Send the bytes and read answers until the server closes the connection, which it must do."""
    with socket.create_connection(address, SECONDS) as connection:
        for piece in pieces:
            if not _sent(connection, piece):
                break
        received = _read_all(connection)
    return answers_in(received)


class KeptConnection:
    """One connection for request after request, each answer with a Content-Length."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._connection = socket.create_connection(address, SECONDS)
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, *pieces: bytes) -> RawAnswer:
        """Send a request, in pieces that the network keeps apart where it can, and read its answer."""
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            self._connection.sendall(piece)
        while True:
            head, blank, body = self._received.partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            if blank and length is not None and len(body) >= int(length[1]):
                break
            more = self._connection.recv(65536)
            assert more, self._received
            self._received += more
        answer, self._received = self._received, b""
        (read,) = answers_in(answer)
        return read


def _sent(connection: socket.socket, piece: bytes) -> bool:
    """Whether the server still took it; one that refused early may have closed already."""
    try:
        connection.sendall(piece)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def _read_all(connection: socket.socket) -> bytes:
    received = b""
    while True:
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            return received
        if not piece:
            return received
        received += piece


def answers_in(received: bytes) -> list[RawAnswer]:
    """All answers in what came over one connection; each has a Content-Length here."""
    answers = []
    while received:
        head, blank, received = received.partition(b"\r\n\r\n")
        assert blank, head
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", "0"))
        answers.append(RawAnswer(int(status.split()[1]), headers, received[:length]))
        received = received[length:]
    return answers
