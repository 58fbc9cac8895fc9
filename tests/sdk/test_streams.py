"""The stream of events: it goes on behind the last event whatever becomes of the connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest

import innoai
from tests.sdk.peer import Answer, Peer, refusal
from tests.support.samples import frame

if TYPE_CHECKING:
    from tests.sdk.conftest import Either

ROUTE = "GET /v1/webhooks/stream"
SOON = b"retry: 1\n\n"


def streamed(*pieces: bytes, cut: bool = False) -> Answer:
    """An answer that ends behind those pieces, properly or not."""
    return Answer(raw=SOON + b"".join(pieces), headers={"content-type": "text/event-stream"}, cut=cut)


async def first(count: int, items: Any) -> list[Any]:
    """The first items of a stream, sync or async."""
    found: list[Any] = []
    if hasattr(items, "__aiter__"):
        async for item in items:
            found.append(item)
            if len(found) == count:
                await items.aclose()
                break
    else:
        for item in items:
            found.append(item)
            if len(found) == count:
                break
    return found


def frames_of(either: Either, **options: Any) -> Any:
    return either.client.webhooks.stream(**options).frames()


async def test_events_come_as_models_with_their_data(either: Either, peer: Peer) -> None:
    peer.on(ROUTE, streamed(b": hello\n\n", frame(1), b": still here\n\n", frame(2, "key.revoked")))
    stream = either.client.webhooks.stream(event_types=["key.*", "customer.*"])
    one, two = await first(2, aiter(stream) if hasattr(stream, "__aiter__") else stream)
    assert (one.id, one.type, one.data["name"]) == ("evt_1", "key.created", "Niño\u2028")
    assert (two.id, two.type, stream.last_event_id) == ("evt_2", "key.revoked", "evt_2")
    assert peer.received[0].query == {"event_types": ["key.*,customer.*"]}
    assert peer.received[0].headers["accept"] == "text/event-stream"
    assert "last-event-id" not in peer.received[0].headers


async def test_a_frame_holds_the_body_byte_for_byte(either: Either, peer: Peer) -> None:
    peer.on(ROUTE, streamed(frame(1)))
    (found,) = await first(1, frames_of(either))
    assert f"data: {found.data}\n".encode() in frame(1)


async def test_a_lost_connection_is_made_again_behind_the_last_event(either: Either, peer: Peer) -> None:
    pauses: list[float] = []
    peer.on(
        ROUTE,
        streamed(frame(1)),
        streamed(frame(2), frame(3)[:-2], cut=True),
        refusal(503, "service_unavailable"),
        refusal(503, "service_unavailable"),
        refusal(503, "service_unavailable"),
        streamed(frame(3)),
    )
    found = await first(3, frames_of(either, lost=pauses.append))
    assert [each.id for each in found] == ["evt_1", "evt_2", "evt_3"]
    behind = [r.headers.get("last-event-id") for r in peer.received]
    assert behind == [None, "evt_1", "evt_2", "evt_2", "evt_2", "evt_2"]
    assert pauses == [0.001, 0.001, 0.002]


async def test_an_event_that_comes_again_is_left_out(either: Either, peer: Peer) -> None:
    peer.on(ROUTE, streamed(frame(1), frame(2)), streamed(frame(1), frame(3), frame(2), frame(4)))
    found = await first(4, frames_of(either))
    assert [each.id for each in found] == ["evt_1", "evt_2", "evt_3", "evt_4"]


async def test_an_id_without_an_event_is_a_place_to_go_on_from(either: Either, peer: Peer) -> None:
    peer.on(ROUTE, streamed(b"id: evt_0\n\n"), streamed(frame(1)))
    (found,) = await first(1, frames_of(either))
    assert found.id == "evt_1"
    assert peer.received[1].headers["last-event-id"] == "evt_0"


async def test_a_stream_begins_behind_a_given_event(either: Either, peer: Peer) -> None:
    peer.on(ROUTE, streamed(frame(8)))
    await first(1, frames_of(either, last_event_id="evt_7"))
    assert peer.received[0].headers["last-event-id"] == "evt_7"


async def test_a_stream_that_cannot_begin_is_an_error_at_once(either: Either, peer: Peer) -> None:
    peer.on(ROUTE, Answer(hang_up=True))
    with pytest.raises(openai.APIConnectionError):
        await first(1, frames_of(either))


async def test_a_credential_that_dies_ends_the_stream(either: Either, peer: Peer) -> None:
    peer.on(ROUTE, streamed(frame(1)), refusal(401, "invalid_api_key"))
    with pytest.raises(innoai.InvalidApiKey):
        await first(2, frames_of(either))


async def test_the_pauses_grow_and_end_growing(either: Either, peer: Peer) -> None:
    pauses: list[float] = []
    empty = Answer(raw=b"", headers={"content-type": "text/event-stream"})
    peer.on(ROUTE, streamed(), *[empty] * 4, streamed(frame(1)))
    await first(1, frames_of(either, lost=pauses.append))
    assert pauses == [0.001, 0.002, 0.004, 0.008, 0.016]
