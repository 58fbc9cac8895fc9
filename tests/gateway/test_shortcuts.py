"""`server.shortcuts`: the answers are the same either way; without them nothing is taken as known."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from innoai.gateway import connection as callers
from innoai.gateway.upstream import connection as upstreams
from tests.gateway.house import STREAM, counted, house_before, said
from tests.gateway.test_passage import EVENTS, JSON, USAGE, WANTS_USAGE, repeating, streamed

if TYPE_CHECKING:
    from tests.gateway.house import Installation

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")

OK = counted(1, 2)
TIMES = 5
WHOLE_STREAM = streamed(b"data: [DONE]\n\n", lines=(EVENTS,)) + b"0\r\n\r\n"


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many heads a parser has read, of callers and of upstreams."""
    heads: Counter[str] = Counter()
    for module in (callers, upstreams):
        usual = module.Connection.on_headers_complete

        def counting(self: object, usual=usual, side=module.__name__) -> None:
            heads[side] += 1
            usual(self)

        monkeypatch.setattr(module.Connection, "on_headers_complete", counting)
    return heads


@pytest.mark.parametrize("answer", [said(OK, JSON), WHOLE_STREAM], ids=["whole", "chunked"])
@pytest.mark.parametrize(("shortcuts", "heads"), [(True, 1), (False, TIMES)])
async def test_without_shortcuts_each_head_is_parsed(
    installed: Installation, parsed: Counter[str], answer: bytes, shortcuts: bool, heads: int
) -> None:
    async with (
        house_before(installed, repeating(answer), shortcuts=shortcuts) as (house, _),
        house.caller() as caller,
    ):
        told = {(await caller.ask(house.post(STREAM))).status for _ in range(TIMES)}
        assert told == {200}
        assert parsed == {callers.__name__: heads, upstreams.__name__: heads}
        assert [record.outcome for record in house.ledger.records] == ["complete"] * TIMES


@pytest.mark.parametrize("asked", [STREAM, WANTS_USAGE], ids=["hidden usage", "asked usage"])
@pytest.mark.parametrize("shortcuts", [True, False])
async def test_a_stream_that_comes_at_once_has_its_usage_read_and_hidden(
    installed: Installation, asked: bytes, shortcuts: bool
) -> None:
    events = [b'data: {"choices": [{"index": 0}]}\n\n', USAGE + b"\n\n", b"data: [DONE]\n\n"]
    script = repeating(streamed(*events, lines=(EVENTS,)) + b"0\r\n\r\n")
    async with (
        house_before(installed, script, shortcuts=shortcuts) as (house, _),
        house.caller() as caller,
    ):
        answers = [(await caller.ask(house.post(asked))).body for _ in range(TIMES)]
        shown = events if asked == WANTS_USAGE else [events[0], events[2]]
        assert answers == [b"".join(shown)] * TIMES
        assert [record.completion_tokens for record in house.ledger.records] == [2] * TIMES


@pytest.mark.parametrize("shortcuts", [True, False])
async def test_without_shortcuts_the_control_plane_answers_about_credentials(
    installed: Installation, shortcuts: bool
) -> None:
    async with (
        house_before(installed, repeating(said(OK, JSON)), shortcuts=shortcuts) as (house, _),
        house.caller() as caller,
    ):
        question = f"GET /v1/auth/validate HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {house.key}\r\n\r\n"
        for _ in range(TIMES):
            assert (await caller.ask(question.encode())).json()["valid"]
        (connection,) = house.connections
        # The first one meets a keyring that does not know the key yet, and is the control plane's either way.
        assert connection.server_state.total_requests == TIMES
        assert (house.gateway.desk is None) is not shortcuts


async def test_without_shortcuts_each_decision_is_awaited(installed: Installation) -> None:
    async with (
        house_before(installed, repeating(said(OK, JSON)), shortcuts=False) as (house, _),
        house.caller() as caller,
    ):
        house.gateway.door.admit_now = None  # type: ignore[assignment, method-assign]
        for _ in range(TIMES):
            assert (await caller.ask(house.post())).body == OK
