"""What each request costs: by the upstream's counts or an estimate, and nothing where nothing was served."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import pytest

from innoai.metering.prices import Price, Tariff
from tests.gateway.house import MODEL, STREAM, counted, house_before, said
from tests.gateway.test_passage import CHUNKED, EVENTS, JSON, USAGE, chunks, repeating, streamed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from innoai.gateway.transport import Transport
    from tests.gateway.house import House, Installation
    from tests.gateway.upstream.peers import Script, Visit

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")

PRICE = Price(prompt=1_000, cached=10, completion=1_000_000, request=7, per=1)
DELTA = b'data: {"choices": [{"delta": {"content": "x"}}]}\n\n'
DONE = b"data: [DONE]\n\n"
PROMPT = json.dumps(
    {"model": MODEL, "messages": [{"role": "user", "content": "x" * 400}], "stream": True}
).encode()


@asynccontextmanager
async def priced(
    installed: Installation, *scripts: Script, tariff: Tariff | None = None
) -> AsyncIterator[House]:
    async with house_before(installed, *scripts) as (house, _):
        house.gateway.models.tariffs[MODEL] = Tariff({"USD": PRICE}) if tariff is None else tariff
        yield house


def costs(house: House) -> list[tuple[int | None, bool]]:
    return [(record.cost, record.estimated) for record in house.ledger.records]


def holding(*pieces: bytes, lines: tuple[bytes, ...] = (EVENTS,)) -> Script:
    """An answer that never ends."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(streamed(*pieces, lines=lines))
        await visit.gone()

    return script


def breaking(*pieces: bytes, head: bytes | None = None) -> Script:
    """An answer that ends too early."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(streamed(*pieces) if head is None else head)
        await asyncio.sleep(0)
        visit.writer.close()

    return script


async def test_a_cost_is_that_of_the_tokens_which_the_upstream_counted(installed: Installation) -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 3}}
    usage = json.dumps({"usage": {"prompt_tokens": 5, "completion_tokens": 2, **details}}).encode()
    async with priced(installed, repeating(said(usage, JSON))) as house:
        await house.ask()
        assert costs(house) == [(2 * 1_000 + 3 * 10 + 2 * 1_000_000 + 7, False)]


async def test_a_streams_cost_is_the_same_whether_its_usage_is_hidden_or_not(installed: Installation) -> None:
    whole = streamed(DELTA * 9, USAGE + b"\n\n" + DONE) + b"0\r\n\r\n"
    wants = json.dumps({**json.loads(STREAM), "stream_options": {"include_usage": True}}).encode()
    async with priced(installed, repeating(whole)) as house:
        await house.ask(house.post(STREAM))
        await house.ask(house.post(wants))
        assert costs(house) == [(1_000 + 2 * 1_000_000 + 7, False)] * 2


async def test_each_picture_costs_what_a_request_does(installed: Installation) -> None:
    pictures = repeating(said(b'{"data": [{"b64_json": "aa"}]}', JSON))
    tariff = Tariff({"USD": Price(prompt=0, cached=0, completion=0, request=7, per=1)})
    async with priced(installed, pictures, tariff=tariff) as house:
        for count in (b"", b', "n": 1', b', "n": 10', b', "n": "10"'):
            body = b'{"model": "%b", "prompt": "cat"%b}' % (MODEL.encode(), count)
            await house.ask(house.post(body, path="/v1/images/generations"))
        assert [record.cost for record in house.ledger.records] == [7, 7, 70]


async def test_a_model_without_a_price_has_no_cost(installed: Installation) -> None:
    async with priced(installed, repeating(said(counted(1, 2), JSON)), tariff=Tariff({})) as house:
        await house.ask()
        assert costs(house) == [(None, False)]


async def test_an_account_is_charged_in_its_own_currency(installed: Installation) -> None:
    tariff = Tariff({"EUR": PRICE})
    async with priced(installed, repeating(said(counted(1, 2), JSON)), tariff=tariff) as house:
        await house.ask()
        assert costs(house) == [(None, False)]


@pytest.mark.parametrize("status", [b"400 Bad", b"404 No", b"429 Slow", b"302 There"])
async def test_a_refusal_of_the_upstream_costs_nothing(installed: Installation, status: bytes) -> None:
    async with priced(installed, repeating(said(counted(1, 2), JSON, status=status))) as house:
        await house.ask()
        assert costs(house) == [(0, False)]


async def test_an_upstream_that_fails_costs_nothing(installed: Installation) -> None:
    async with priced(installed, breaking(head=b"")) as house:
        assert (await house.ask()).status == 502
        assert costs(house) == [(0, False)]


async def test_who_hangs_up_before_the_last_event_pays_for_the_events_before(installed: Installation) -> None:
    async with priced(installed, holding(DELTA * 50)) as house:
        async with house.caller() as caller:
            await caller.send(house.post(PROMPT))
            await caller.head()
            await caller.reader.readuntil(DELTA * 50)
        record = await house.ledger.record()
        assert record.outcome == "cancelled"
        assert (record.prompt_tokens, record.completion_tokens) == (None, None)
        [(cost, estimated)] = costs(house)
        assert cost is not None
        assert estimated
        completion, rest = divmod(cost - 7, 1_000_000)
        assert completion == 50
        assert 100 <= rest // 1_000 < 130


async def test_who_hangs_up_before_anything_came_pays_nothing(installed: Installation) -> None:
    async def silent(visit: Visit) -> None:
        await visit.request()
        await visit.gone()

    async with priced(installed, silent) as house:
        async with house.caller() as caller:
            await caller.send(house.post(PROMPT))
            await house.until(lambda: house.pools[0].open == 1)
        await house.ledger.record()
        assert costs(house) == [(0, False)]


async def test_a_stream_that_breaks_costs_what_came_of_it(installed: Installation) -> None:
    async with priced(installed, breaking(DELTA * 20)) as house:
        await house.ask(house.post(STREAM))
        record = await house.ledger.record()
        assert (record.outcome, record.estimated) == ("failed", True)
        assert record.cost is not None
        assert (record.cost - 7) // 1_000_000 == 20


async def test_what_a_broken_answer_of_another_upstream_left_is_neither_told_nor_charged(
    installed: Installation,
) -> None:
    """The first upstream's beginning is held until it is clear that it goes on, and then given up."""
    begun = b"HTTP/1.1 200 OK\r\n" + EVENTS + b"\r\n" + CHUNKED + b"\r\n\r\n"
    broken = begun + chunks(DELTA)[:-4] + b"no chunk"
    async with priced(installed, breaking(head=broken), repeating(said(counted(1, 2), JSON))) as house:
        answer = await house.ask(house.post(STREAM))
        assert answer.body == counted(1, 2)
        assert costs(house) == [(1_000 + 2 * 1_000_000 + 7, False)]


@pytest.mark.parametrize("asks", [STREAM, PROMPT.replace(b', "stream": true', b"")], ids=["stream", "plain"])
async def test_an_answer_that_is_only_an_error_has_failed_and_costs_nothing(
    installed: Installation, asks: bytes
) -> None:
    """Its head was sent with status 200 before the model server knew."""
    error = b'{"error": {"message": "CUDA out of memory", "code": 500}}'
    events = b"data: " + error + b"\n\n" + DONE
    answer = said(events, EVENTS) if asks == STREAM else said(error, JSON)
    pieces = streamed(events) if asks == STREAM else streamed(error, lines=(JSON,))
    async with priced(installed, repeating(answer, answer, answer, pieces + b"0\r\n\r\n")) as house:
        async with house.caller() as caller:
            for _ in range(4):
                answered = await caller.ask(house.post(asks))
                assert (answered.status, answered.body) == (200, events if asks == STREAM else error)
        assert [(record.status, record.outcome) for record in house.ledger.records] == [(200, "failed")] * 4
        assert costs(house) == [(0, False)] * 4


async def test_an_answer_without_usage_is_estimated(installed: Installation) -> None:
    body = json.dumps({"choices": [{"message": {"content": "x" * 400}}]}).encode()
    async with priced(installed, repeating(said(body, JSON))) as house:
        await house.ask()
        [(cost, estimated)] = costs(house)
        assert cost is not None
        assert estimated
        assert (cost - 7) // 1_000_000 == 100


async def test_an_estimated_prompt_is_no_longer_than_the_model_can_read(installed: Installation) -> None:
    tariff = Tariff({"USD": PRICE}, context_window=10)
    async with priced(installed, repeating(said(b"{}", JSON)), tariff=tariff) as house:
        await house.ask(house.post(PROMPT))
        assert costs(house) == [(10 * 1_000 + 7, True)]


async def bounded_key(house: House) -> str:
    """A key with a budget."""
    content = json.dumps({"name": "x", "rate_limit": 1000, "budgets": {"total": 1000}}).encode()
    made = await house.ask(house.post(content, "Content-Type: application/json", path="/v1/keys"))
    key: str = made.json()["key"]
    return key


def set_aside(house: House) -> int:
    """What the requests under way may cost."""
    assert house.gateway.door._budgets is not None
    return sum(holding.reserved for holding in house.gateway.door._budgets._holdings.values())


async def test_nothing_stays_set_aside_however_deep_a_body_is(installed: Installation) -> None:
    """What was read when the body came has to be written to an upstream, from deeper in the stack."""
    whole = streamed(DELTA, USAGE + b"\n\n" + DONE) + b"0\r\n\r\n"
    async with priced(installed, repeating(whole)) as house:
        key = await bounded_key(house)

        async def status(depth: int) -> int:
            deep = b"[" * depth + b"]" * depth
            asked = STREAM[:-1] + b', "max_tokens": 9, "stream_options": {"x": %b}}' % deep
            return (await house.ask(house.post(asked, key=key))).status

        # How deep is too deep is a matter of the Python; near it, one step reads what another cannot.
        readable, unreadable = 100, 1_000_000
        while unreadable - readable > 1:
            depth = (readable + unreadable) // 2
            if await status(depth) == 200:
                readable = depth
            else:
                unreadable = depth
        statuses = {await status(depth) for depth in range(readable - 100, readable + 100)}
        assert statuses == {200, 400}
        assert set_aside(house) == 0


async def test_nothing_stays_set_aside_when_the_unforeseen_happens(installed: Installation) -> None:
    class Broken:
        def prepare(self, _: object) -> None:
            raise ArithmeticError

    async with priced(installed, repeating(said(counted(1, 2), JSON))) as house:
        key = await bounded_key(house)
        [target] = house.gateway.models.targets[MODEL]
        house.gateway.models.targets[MODEL] = (
            dataclasses.replace(target, transport=cast("Transport", Broken())),
        )
        answer = await house.ask(house.post(key=key))
        assert (answer.status, answer.code) == (500, "internal_error")
        assert costs(house) == [(0, False)]
        assert set_aside(house) == 0
