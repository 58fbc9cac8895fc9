from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from innoai.access.principal import Unauthenticated
from innoai.dashboard.control import Asked, Streamed, stream
from innoai.envelope import REQUEST_ID_KEY
from innoai.errors import InnoError, refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from innoai.dashboard.control import ASGIApp

    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]

PATIENCE_SECONDS = 5
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/csv")]}
OUTER: dict[str, Any] = {
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "scheme": "http",
    "headers": [],
    "client": None,
    "server": None,
    REQUEST_ID_KEY: "req_1",
}


class LostError(Exception):
    """What ends the control plane here."""


async def nobody() -> Unauthenticated:
    return Unauthenticated("standing", refusal("invalid_api_key", "Nobody."))


async def streamed(app: ASGIApp) -> Streamed:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await stream(app, OUTER, nobody, Asked("GET", "/v1/billing/usage", {}))


async def whole(answer: Streamed) -> bytes:
    async with asyncio.timeout(PATIENCE_SECONDS) as patience:
        try:
            return b"".join([piece async for piece in answer.content])
        finally:
            assert not patience.expired()


def piece(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def test_a_file_is_passed_on_in_its_pieces() -> None:
    async def app(_scope: Any, _receive: Receive, send: Send) -> None:
        await send(START)
        for number in range(20):
            await send(piece(b"%d," % number))
        await send(piece(b"end", more=False))

    assert (await whole(await streamed(app))).endswith(b"18,19,end")


async def test_what_fails_before_the_answer_is_raised() -> None:
    async def app(_scope: Any, _receive: Receive, _send: Send) -> None:
        raise LostError

    with pytest.raises(LostError):
        await streamed(app)


@pytest.mark.parametrize("pieces", [0, 1, 20])
async def test_what_fails_within_a_file_breaks_it_off(pieces: int) -> None:
    async def app(_scope: Any, _receive: Receive, send: Send) -> None:
        await send(START)
        for _ in range(pieces):
            await send(piece(b"row"))
        raise LostError

    answer = await streamed(app)
    with pytest.raises(LostError):
        await whole(answer)


async def test_a_file_that_ends_before_its_end_is_an_error() -> None:
    async def app(_scope: Any, _receive: Receive, send: Send) -> None:
        await send(START)
        await send(piece(b"row"))

    answer = await streamed(app)
    with pytest.raises(InnoError):
        await whole(answer)


async def test_the_work_ends_when_the_reader_goes() -> None:
    ended = asyncio.Event()

    async def app(_scope: Any, _receive: Receive, send: Send) -> None:
        await send(START)
        try:
            while True:
                await send(piece(b"row"))
        finally:
            ended.set()

    answer = await streamed(app)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await anext(answer.content) == b"row"
        await answer.content.aclose()  # type: ignore[attr-defined]
    assert ended.is_set()


async def test_the_work_ends_when_the_reader_goes_before_the_answer() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def app(_scope: Any, _receive: Receive, _send: Send) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    asked = asyncio.ensure_future(streamed(app))
    await begun.wait()
    asked.cancel()
    await asyncio.wait([asked])
    assert ended.is_set()
