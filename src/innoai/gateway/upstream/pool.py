"""The connections to one origin: which are idle, which are at work, which are being made."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from typing import TYPE_CHECKING, Final

from innoai.gateway.departures import Departures
from innoai.gateway.upstream.beat import Beat
from innoai.gateway.upstream.call import Call
from innoai.gateway.upstream.connection import Connection
from innoai.gateway.upstream.failures import Failure, FailureKind, Phase
from innoai.gateway.upstream.request import framed, prepare
from innoai.gateway.upstream.timeouts import Timeouts
from innoai.trust import tls_context

if TYPE_CHECKING:
    from innoai.gateway.upstream.call import Listener
    from innoai.gateway.upstream.origin import Origin
    from innoai.gateway.upstream.request import PreparedHead, RequestHead

_LONGEST_STEP: Final = 0.5  # seconds between two sweeps
_STEPS_PER_TIMEOUT: Final = 4
_DROPPED: Final = Failure(FailureKind.CLOSED_BEFORE_ANSWER, False, "upstream closed the connection unasked")
_CLOSED: Final = Failure(FailureKind.SHUT_DOWN, False, "the pool was closed")


class Pool:
    """Keeps connections to one origin alive and gives each call one of its own, the last used first.

    ssl: for https; by default the system's trust. idle_lifetime: seconds. At most `max_idle` connections are
    kept without work; there is no limit to those at work. Without `shortcuts` each answer is parsed, be its
    head the last one's. Made where the event loop runs, or given it.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        timeouts: Timeouts | None = None,
        ssl: ssl.SSLContext | None = None,
        max_idle: int = 256,
        idle_lifetime: float = 30.0,
        shortcuts: bool = True,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._origin = origin
        self._authority = origin.authority
        self._timeouts = timeouts or Timeouts()
        self._ssl = (ssl or _default_context()) if origin.scheme == "https" else None
        self._max_idle = max_idle
        self._idle_lifetime = idle_lifetime
        self.shortcuts = shortcuts
        self._loop = loop or asyncio.get_running_loop()
        self.departures = Departures()
        """Requests on their way to upstream."""
        self.beat = Beat(self._loop)
        self._idle: list[Connection] = []
        self._connections: set[Connection] = set()
        self._connecting: dict[asyncio.Task[None], Call] = {}
        self._closed = False
        self._emptied = asyncio.Event()
        # The sweep. Its clock stands still while the loop does: upstream is not to blame for that.
        self._step = min(_LONGEST_STEP, min(self._timeouts.shortest, idle_lifetime) / _STEPS_PER_TIMEOUT)
        self._clock = 0.0
        self._last_sweep = 0.0
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> int:
        """Connections without work."""
        return len(self._idle)

    @property
    def open(self) -> int:
        """Connections whose socket is not gone yet, idle or not."""
        return len(self._connections)

    @property
    def connecting(self) -> int:
        """Calls that wait for a connection of their own."""
        return len(self._connecting)

    def prepare(self, head: RequestHead) -> PreparedHead:
        """A head in wire form for this origin, to be sent again and again.

        Raises ValueError for one that must not be sent.
        """
        return prepare(head, self._authority)

    def send_prepared(self, head: PreparedHead, body: bytes, listener: Listener) -> Call:
        """Send a request; the listener hears the answer, though never before this has returned.

        Raises RuntimeError after `close`.
        """
        if self._closed:
            raise RuntimeError("this pool is closed")
        call = Call(listener, framed(head, body))
        if self._idle:
            self._idle.pop().start(call)
        else:
            self.connect(call)
        return call

    async def close(self) -> None:
        """Close every connection; calls at work fail. Returns when all sockets are gone."""
        self._closed = True
        for task, call in list(self._connecting.items()):
            if call.connecting is task:
                task.cancel()
                call.fail(_CLOSED)
        for connection in list(self._connections):
            connection.shut_down()
        while self._connecting:
            await asyncio.gather(*self._connecting, return_exceptions=True)
            # What is done takes itself out of the list in the loop's next turn.
            await asyncio.sleep(0)
        while self._connections:
            self._emptied.clear()
            await self._emptied.wait()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    # ── connections: what they tell ──

    def opened(self, connection: Connection) -> None:
        """It stands."""
        self._connections.add(connection)
        if self._sweeper is None:
            self._last_sweep = self._loop.time()
            self._sweeper = self._loop.call_later(self._step, self._sweep)

    def released(self, connection: Connection) -> None:
        """It is fit for another request."""
        if len(self._idle) < self._max_idle and not self._closed:
            self._idle.append(connection)
        else:
            connection.close()

    def closing(self, connection: Connection) -> None:
        """It takes no further request."""
        if connection in self._idle:
            self._idle.remove(connection)

    def lost(self, connection: Connection) -> None:
        """Its socket is gone."""
        self._connections.discard(connection)
        if not self._connections:
            self._emptied.set()

    def connect(self, call: Call) -> None:
        """Send the call's request on a new connection."""
        task = self._loop.create_task(self._connect(call))
        call.connecting = task
        self._connecting[task] = call
        task.add_done_callback(self._connecting.__delitem__)

    # ── connections: making them ──

    async def _connect(self, call: Call) -> None:
        connection = Connection(self, self._timeouts, self._idle_lifetime)
        try:
            await self._open(connection)
        except OSError as error:
            call.fail(_connect_failure(error, tls=self._ssl is not None))
            return
        if connection.is_closed:
            call.fail(_DROPPED)
            return
        call.connecting = None
        connection.start(call)

    async def _open(self, connection: Connection) -> None:
        async with asyncio.timeout(self._timeouts.connect):
            await self._loop.create_connection(
                lambda: connection,
                self._origin.host,
                self._origin.port,
                ssl=self._ssl,
                server_hostname=self._origin.host if self._ssl is not None else None,
            )

    # ── time ──

    def _sweep(self) -> None:
        """One timer for all connections; it rests when there are none."""
        self._sweeper = None
        if not self._connections:
            return
        now = self._loop.time()
        self._clock += min(now - self._last_sweep, 2 * self._step)
        self._last_sweep = now
        self._sweeper = self._loop.call_later(self._step, self._sweep)
        for connection in list(self._connections):
            connection.watch(self._clock)


def _default_context() -> ssl.SSLContext:
    context = tls_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _connect_failure(error: OSError, *, tls: bool) -> Failure:
    if isinstance(error, TimeoutError):
        return Failure(FailureKind.TIMED_OUT, False, "no connection to upstream in time", Phase.CONNECT)
    if isinstance(error, ssl.SSLCertVerificationError):
        return Failure(
            FailureKind.TLS_FAILED, False, f"upstream's certificate is not trusted: {error.verify_message}"
        )
    if isinstance(error, ssl.SSLError):
        return Failure(FailureKind.TLS_FAILED, False, f"no TLS with upstream: {error.reason}")
    # connect(2) itself knows no reset: it is the handshake that was cut.
    if tls and isinstance(error, ConnectionResetError | ConnectionAbortedError):
        return Failure(FailureKind.TLS_FAILED, False, "upstream cut the TLS handshake short")
    return Failure(FailureKind.CONNECT_FAILED, False, _reason(error))


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "upstream's host name does not resolve"
    # The event loop's own text repeats addresses, and an error of several addresses has no number.
    return (
        f"upstream: {os.strerror(error.errno)}"
        if error.errno
        else "no address of upstream can be connected to"
    )
