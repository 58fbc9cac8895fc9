"""The stream of events: resumable, and over when its credential or the server is."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from innoai.api.event_stream import MOST_STREAMS
from innoai.events import outbox
from innoai.store import accounts, events
from innoai.store.database import Database
from tests.contract.clients import bearer, create_key, mint
from tests.contract.webhooks import until, webhook_settings
from tests.support.envelope import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.server import Server


@pytest.fixture(scope="module")
def own(new_server: Callable[..., Server]) -> Server:
    return new_server(webhook_settings())


@pytest.fixture(scope="module")
def caller(own: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=own.base_url, headers=bearer(own.admin_key), timeout=30) as client:
        yield client


class Stream:
    """What comes on a stream, event by event."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.iter_lines()

    def begun(self) -> None:
        assert next(self._lines).startswith(":")

    def next(self) -> dict[str, str]:
        """The next event's fields; StopIteration at the end."""
        while "data" not in (fields := self.fields()):
            pass
        return fields

    def fields(self) -> dict[str, str]:
        """The next fields, which are no event without data."""
        fields: dict[str, str] = {}
        while True:
            line = next(self._lines)
            if line == "" and fields:
                return fields
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value

    def ends(self) -> bool:
        """Wait for the end, and say whether no event came before it."""
        return not any(line.startswith("data:") for line in self._lines)


@contextmanager
def streaming(client: httpx.Client, last: str | None = None, **query: Any) -> Iterator[Stream]:
    """A stream that has begun."""
    headers = bearer(query.pop("key")) if "key" in query else {}
    if last is not None:
        headers["last-event-id"] = last
    with client.stream("GET", "/webhooks/stream", params=query, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        stream = Stream(answer)
        stream.begun()
        yield stream


def publish_late(server: Server, age: float) -> str:
    """Commit an event now whose instant is so many seconds ago: its id."""

    async def publish() -> str:
        database = Database(f"sqlite:///{server.store}")
        try:
            async with database.write() as connection:
                account = await accounts.first(connection)
                assert account is not None
                data = {"before": "free", "after": "startup"}
                event = outbox.new_event(account.id, "tier.changed", data, time.time() - age)
                await events.add(connection, event)
                return event.id
        finally:
            await database.close()

    return asyncio.run(publish())


def test_events_come_as_they_are_delivered(caller: httpx.Client) -> None:
    with streaming(caller) as stream:
        key = create_key(caller, "Streamed")
        event = stream.next()
    body = json.loads(event["data"])
    assert event["event"] == body["type"] == "key.created"
    assert event["id"] == body["id"]
    assert body["data"]["id"] == key["id"]


def test_only_the_wanted_types_come(caller: httpx.Client) -> None:
    with streaming(caller, event_types="customer.*,key.revoked") as stream:
        key = create_key(caller, "Not wanted")
        caller.post("/customers", json={"customer_id": "wanted"})
        caller.delete(f"/keys/{key['id']}")
        assert [stream.next()["event"] for _ in range(2)] == ["customer.created", "key.revoked"]
    answer = caller.get("/webhooks/stream", params={"event_types": "key.exploded"})
    assert refused(answer, "invalid_request")["param"] == "event_types"


def test_a_stream_resumes_behind_the_event_that_was_seen_last(caller: httpx.Client) -> None:
    with streaming(caller) as stream:
        create_key(caller, "Before")
        seen = stream.next()["id"]
    missed = [create_key(caller, f"Missed {number}")["id"] for number in range(3)]
    with streaming(caller, last=seen, event_types="key.created") as stream:
        come: list[str] = []
        while not set(missed) <= set(come):
            event = stream.next()
            assert event["id"] != seen
            come.append(json.loads(event["data"])["data"]["id"])
    assert [key_id for key_id in come if key_id in missed] == missed


def test_who_is_cut_off_before_the_first_event_misses_nothing(caller: httpx.Client) -> None:
    with streaming(caller) as stream:
        fields = stream.fields()
    assert fields.keys() == {"id"}
    missed = create_key(caller, "Missed from the start")["id"]
    with streaming(caller, last=fields["id"], event_types="key.created") as stream:
        while json.loads(stream.next()["data"])["data"]["id"] != missed:
            pass


def test_an_account_has_so_many_streams_and_a_closed_one_makes_room(caller: httpx.Client) -> None:
    with ExitStack() as streams:
        for _ in range(MOST_STREAMS - 1):
            streams.enter_context(streaming(caller))
        with streaming(caller):
            answer = caller.get("/webhooks/stream")
            assert f"{MOST_STREAMS} streams" in refused(answer, "conflict")["message"]
            assert caller.head("/webhooks/stream").status_code == 200

        def status() -> int:
            with caller.stream("GET", "/webhooks/stream") as answer:
                return answer.status_code

        until(status, lambda status: status == 200)


def test_an_event_that_is_committed_late_is_not_lost(own: Server, caller: httpx.Client) -> None:
    with streaming(caller, event_types="tier.changed") as stream:
        ids = [publish_late(own, age) for age in (0.0, 5.0, 1.0, 10.0)]
        assert sorted(stream.next()["id"] for _ in ids) == sorted(ids)
        # Nothing comes a second time.
        last = publish_late(own, 0.0)
        assert stream.next()["id"] == last


@pytest.mark.parametrize("by", ["key", "token"])
def test_a_stream_ends_when_its_credential_is_revoked(caller: httpx.Client, by: str) -> None:
    key = create_key(caller, "Short-lived", scopes=["webhooks:read"])
    credential = key["key"] if by == "key" else mint(caller, key["key"])["access_token"]
    with streaming(caller, key=credential, event_types="tier.changed") as stream:
        if by == "key":
            caller.delete(f"/keys/{key['id']}")
        else:
            caller.post("/auth/revoke", json={"token": credential})
        revoked_at = time.monotonic()
        assert stream.ends()
    # Long before a comment would keep it alive.
    assert time.monotonic() - revoked_at < 10


def test_a_last_event_id_that_is_none_is_refused(caller: httpx.Client) -> None:
    answer = caller.get("/webhooks/stream", headers={"last-event-id": "the last one"})
    refused(answer, "invalid_request")


def test_a_head_of_the_stream_is_over_at_once(caller: httpx.Client) -> None:
    for _ in range(2):
        answer = caller.head("/webhooks/stream")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")


def test_a_stream_does_not_hold_up_the_end_of_the_server(new_server: Callable[..., Server]) -> None:
    server = new_server(webhook_settings())
    with (
        httpx.Client(base_url=server.base_url, headers=bearer(server.admin_key), timeout=60) as client,
        streaming(client) as stream,
    ):
        assert server.stop() == 0
        assert stream.ends()
