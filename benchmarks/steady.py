"""Load at a constant rate, whatever the answers do: `python -m benchmarks.steady`, a Plan on standard input.

wrk sends its next request when the last one is answered, so a server that stalls is asked less, and the stall
counts once (coordinated omission). Here each request has an instant at which it is due, known beforehand, and
its latency counts from that instant: a request that waited for a stalled server, or a connection, has waited.

One thread, one epoll, no event loop: the less the client does, the less of it is in the figures. Between two
requests it sleeps, since the model server shares its core.
"""

from __future__ import annotations

import ctypes
import gc
import json
import re
import select
import socket
import sys
import time
from array import array
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.processes import LOAD_CORE, BenchError, output_of

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1]
WARM_UP_SECONDS = 0.5
PATIENCE_SECONDS = 10.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_MOST_AT_ONCE = 1 << 16
_PR_SET_TIMERSLACK = 29
_SLACK_NS = 1_000
"""Linux lets a sleep last up to 50 µs longer than asked for, unless told."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`rate` requests a second for `seconds`, over so many connections."""

    url: str
    body: str
    headers: Mapping[str, str]
    rate: float
    seconds: float
    connections: int


@dataclass(frozen=True, slots=True)
class Seen:
    """Latencies in milliseconds, counted from when each request was due; how many there were."""

    requests: int
    p50_ms: float
    p99_ms: float
    worst_ms: float


def offer(plan: Plan) -> Seen:
    """What a client process on LOAD_CORE saw.

    Raises:
        BenchError: an answer was not a 200 with a length, or did not come in time.
    """
    command = [sys.executable, "-m", "benchmarks.steady"]
    told = output_of(command, core=LOAD_CORE, folder=ROOT, given=json.dumps(asdict(plan)))
    return Seen(**json.loads(told))


class _Client:
    """The connections, those without work, and the requests that wait for one."""

    def __init__(self, plan: Plan) -> None:
        address = urlsplit(plan.url)
        fields = {"Host": address.netloc, "Content-Type": "application/json", **plan.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        body = plan.body.encode()
        self._request = (
            f"POST {address.path} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        )
        self._plan = plan
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._idle: list[int] = []
        self._waiting: deque[float] = deque()
        self._due: dict[int, float] = {}
        self._partial: dict[int, bytes] = {}
        self._latencies = array("d")
        self._answered = 0
        self._counts_from = 0.0
        for _ in range(plan.connections):
            made = socket.create_connection((address.hostname, address.port), timeout=PATIENCE_SECONDS)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.setblocking(False)
            self._sockets[made.fileno()] = made
            self._poll.register(made, select.EPOLLIN)
            self._idle.append(made.fileno())

    def run(self) -> Seen:
        """Offer the plan's requests, and wait for the last answer."""
        clock = time.perf_counter
        start, gap = clock(), 1 / self._plan.rate
        count, number = int(self._plan.rate * (WARM_UP_SECONDS + self._plan.seconds)), 0
        self._counts_from = start + WARM_UP_SECONDS
        readable = [self._poll.fileno()]
        while self._answered < count:
            due, now = start + number * gap, clock()
            while due <= now and number < count:
                self._send(due)
                number += 1
                due = start + number * gap
            pause = min(due - clock(), PATIENCE_SECONDS) if number < count else PATIENCE_SECONDS
            # The epoll is a file itself, and select sleeps by the µs where epoll_wait counts in ms.
            if select.select(readable, (), (), max(pause, 0.0))[0]:
                for number_of_file, _ in self._poll.poll(0):
                    self._receive(number_of_file)
            elif number == count:
                raise BenchError(f"{self._plan.url}: {count - self._answered} answers did not come")
        measured = sorted(self._latencies)
        return Seen(
            requests=len(measured),
            p50_ms=measured[len(measured) // 2] * 1e3,
            p99_ms=measured[len(measured) * 99 // 100] * 1e3,
            worst_ms=measured[-1] * 1e3,
        )

    def _send(self, due: float) -> None:
        if not self._idle:
            self._waiting.append(due)
            return
        file = self._idle.pop()
        self._due[file] = due
        self._sockets[file].send(self._request)

    def _receive(self, file: int) -> None:
        data = self._partial.pop(file, b"") + self._sockets[file].recv(_MOST_AT_ONCE)
        end = data.find(b"\r\n\r\n")
        length = _LENGTH.search(data, 0, end + 2)
        if not data.startswith(b"HTTP/1.1 200") or (end >= 0 and length is None):
            raise BenchError(f"{self._plan.url}: answered {data[:200]!r}; ask it with curl")
        if length is None or len(data) < end + 4 + int(length[1]):
            self._partial[file] = data
            return
        self._answered += 1
        if self._due[file] >= self._counts_from:
            self._latencies.append(time.perf_counter() - self._due[file])
        self._idle.append(file)
        if self._waiting:
            self._send(self._waiting.popleft())


def main() -> int:
    """The client process: a Plan on standard input, what was Seen on standard output."""
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, _SLACK_NS, 0, 0, 0)
    client = _Client(Plan(**json.load(sys.stdin)))
    gc.disable()
    try:
        print(json.dumps(asdict(client.run())))
    except (BenchError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
