"""One HTTP request of a delivery: to an address that was judged, within bounds, and no further.

httpcore speaks HTTP/1.1. Redirects are not followed, connections are not kept, and no proxy of the
environment is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING

import httpcore

from innoai.events import addresses
from innoai.events.addresses import AddressRefused
from innoai.trust import tls_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Mapping, Sequence

    from innoai.access.networks import Networks
    from innoai.events.addresses import Url

    Fields = Sequence[tuple[str, str]]

USER_AGENT = f"innoai/{version('innoai')}"
MAX_ANSWER_BYTES = 4096
MAX_HEADER_CHARACTERS = 8192
MAX_ERROR_CHARACTERS = 500
ANSWER_PATIENCE = 2.0
"""Seconds for the body of an answer, whose status has told all that matters."""

CONNECT_PATIENCE = 3.0
"""Seconds for an address behind which there is another one to try."""

MOST_READ = 128 * 1024
"""Bytes that are read of an answer, interim responses and all; TLS adds its own."""

READ_AT_ONCE = 2048
"""Bytes that are parsed before others have their turn: an answer may be made of the smallest parts."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request: a status and what came with it, or else `error`, a sentence for the tenant.

    `headers` have names in lower case; of them and of `body` only the beginning is kept.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    error: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300


async def post(url: str, fields: Fields, body: bytes, *, seconds: float, allowed: Networks) -> Answer:
    """Send the body to an endpoint and hear its answer, in so many seconds altogether."""
    try:
        async with asyncio.timeout(seconds) as limit:
            return await _exchange(addresses.read_url(url), fields, body, limit, allowed)
    except TimeoutError:
        error = f"no answer within {seconds:g} seconds"
    except (AddressRefused, ValueError) as refused:
        error = f"refused: {refused}"
    except (httpcore.NetworkError, OSError) as broken:
        error = f"the connection failed: {str(broken) or type(broken).__name__}"
    except httpcore.ProtocolError as odd:
        error = f"the answer is not valid HTTP: {odd}"
    return Answer(error=error[:MAX_ERROR_CHARACTERS])


async def _exchange(
    url: Url, fields: Fields, body: bytes, limit: asyncio.Timeout, allowed: Networks
) -> Answer:
    pinned = _Pinned(await addresses.resolve(url, allowed))
    address = httpcore.URL(
        scheme=url.scheme.encode(), host=url.host.encode(), port=url.port, target=url.target.encode()
    )
    headers = [("host", url.authority), ("content-length", str(len(body))), *fields]
    request = httpcore.Request("POST", address, headers=headers, content=body)
    async with httpcore.AsyncConnectionPool(_trust(), max_connections=1, network_backend=pinned) as pool:
        response = await pool.handle_async_request(request)
        # From here on the limit ends the reading, and no longer takes the status away.
        ends = min(limit.when() or 0.0, asyncio.get_running_loop().time() + ANSWER_PATIENCE)
        limit.reschedule(None)
        try:
            began = await _beginning(response, ends)
        finally:
            await response.aclose()
    moved = 300 <= response.status < 400
    error = "redirects are not followed; change the endpoint's url" if moved else None
    return Answer(response.status, _shown(response.headers), began, error)


async def _beginning(response: httpcore.Response, ends: float) -> str:
    """As much of the body as the log keeps, as far as it is there when the loop's clock says `ends`."""
    received = bytearray()
    with contextlib.suppress(TimeoutError, httpcore.NetworkError, httpcore.ProtocolError):
        async with asyncio.timeout_at(ends):
            async for piece in response.aiter_stream():
                received += piece
                if len(received) >= MAX_ANSWER_BYTES:
                    break
    # Postgres keeps no NUL in a text.
    return received[:MAX_ANSWER_BYTES].decode(errors="replace").replace("\0", "\ufffd")


def _shown(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers of an answer, as many as the log keeps; repeated ones are joined."""
    shown: dict[str, str] = {}
    room = MAX_HEADER_CHARACTERS
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        room -= len(name) + len(value)
        if room < 0:
            break
        shown[name] = f"{shown[name]}, {value}" if name in shown else value
    return shown


class _Pinned(httpcore.AsyncNetworkBackend):
    """Connects to the addresses that were judged, whatever the name is; TLS verifies the name."""

    def __init__(self, places: Sequence[str]) -> None:
        self._places = places
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Try one address after another; one that says nothing does not use up the time of the next."""
        *others, last = self._places
        for place in others:
            with contextlib.suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._connect(place, port, CONNECT_PATIENCE, local_address, socket_options)
        return await self._connect(last, port, timeout, local_address, socket_options)

    async def _connect(
        self,
        place: str,
        port: int,
        timeout: float | None,  # noqa: ASYNC109
        local_address: str | None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.AsyncNetworkStream:
        connected = self._backend.connect_tcp(place, port, timeout, local_address, socket_options)
        return _Bounded(await connected)


class _Bounded(httpcore.AsyncNetworkStream):
    """A connection of which so much is read and no more, a little at a time.

    The parser takes interim responses (RFC 9110 §15.2) for as long as they come, and all that has come
    without a pause.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._room = MOST_READ

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """At most READ_AT_ONCE bytes. ReadError: that would be more than MOST_READ altogether."""
        if self._room <= 0:
            raise httpcore.ReadError(f"the answer goes on after {MOST_READ} bytes")
        await asyncio.sleep(0)
        received = await self._stream.read(min(max_bytes, READ_AT_ONCE), timeout)
        self._room -= len(received)
        return received

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Write all."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        """The same bounds for what is inside TLS."""
        return _Bounded(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> object:
        """What the connection tells of itself; nothing once it is lost."""
        try:
            return self._stream.get_extra_info(info)
        except AttributeError:
            # anyio looks at the socket whatever it is asked for, and uvloop has none of a lost connection.
            return None


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    return tls_context()
