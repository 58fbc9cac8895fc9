from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.answers import page
from tests.cli.peer import Answer
from tests.support.samples import (
    ATTEMPT,
    DELIVERED,
    DELIVERY,
    ENDPOINT,
    EVENT_TYPE,
    NEW_ENDPOINT,
    SECRET,
)

if TYPE_CHECKING:
    from tests.cli.conftest import Run
    from tests.cli.peer import Peer

URL = "https://example.com/webhooks"
REPLAYED = {"object": "replay", "count": 3}


def test_create_sends_what_was_given_and_shows_the_secret_once(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /webhooks", 201, NEW_ENDPOINT)
    ended = innoai(
        *("webhooks", "create", URL, "--event-type", "key.*", "--event-type", "tier.changed"),
        *("--description", "Keys", "--header", "x-plain=a=b", "--header", "x-token=-", "--disabled"),
        *("--idempotency-key", "once"),
        stdin="topsecret\n",
    )
    assert peer.last.body == {
        "url": URL,
        "event_types": ["key.*", "tier.changed"],
        "description": "Keys",
        "headers": {"x-plain": "a=b", "x-token": "topsecret"},
        "disabled": True,
    }
    assert peer.last.headers["idempotency-key"] == "once"
    assert ended.out.count(SECRET) == 1
    assert "shown this once" in ended.err
    assert SECRET not in ended.err


def test_a_plain_create_sends_the_url_alone(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /webhooks", 201, NEW_ENDPOINT)
    assert json.loads(innoai("webhooks", "create", URL, "--json").out) == NEW_ENDPOINT
    assert peer.last.body == {"url": URL}


def test_endpoints_are_listed_and_shown(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /webhooks", 200, page(ENDPOINT, next_cursor="c2"))
    ended = innoai("webhooks", "list", "--limit", "1")
    assert f"whe_1  {URL}  key.*        no" in ended.out
    assert "innoai webhooks list --limit 1 --cursor c2" in ended.err
    peer.answer("GET /webhooks/whe_1", 200, ENDPOINT)
    assert "headers                     x-token=[hidden]\n" in innoai("webhooks", "show", "whe_1").out


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        (("--url", "http://127.0.0.1:3000/"), {"url": "http://127.0.0.1:3000/"}),
        (("--event-type", "*"), {"event_types": ["*"]}),
        (("--description", ""), {"description": None}),
        (("--header", "a=b"), {"headers": {"a": "b"}}),
        (("--no-headers",), {"headers": {}}),
        (("--disable",), {"disabled": True}),
        (("--enable",), {"disabled": False}),
    ],
)
def test_update_sends_what_was_given(
    peer: Peer, innoai_here: Run, arguments: tuple[str, ...], body: dict[str, Any]
) -> None:
    peer.answer("PATCH /webhooks/whe_1", 200, ENDPOINT)
    assert innoai_here("webhooks", "update", "whe_1", *arguments).code == 0
    assert peer.last.body == body


def test_delete_asks_nothing_without_a_terminal(peer: Peer, innoai: Run) -> None:
    peer.answer("DELETE /webhooks/whe_1", 204)
    assert innoai("webhooks", "delete", "whe_1").out == "deleted whe_1\n"


def test_rotate_secret_sends_the_overlap_and_shows_the_new_secret(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /webhooks/whe_1/rotate-secret", 200, NEW_ENDPOINT)
    assert SECRET in innoai("webhooks", "rotate-secret", "whe_1", "--overlap", "0").out
    assert peer.last.body == {"overlap": 0}
    innoai("webhooks", "rotate-secret", "whe_1")
    assert peer.last.body == {}


def test_a_test_waits_for_the_answer_and_shows_it(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /webhooks/whe_1/test", 202, DELIVERY)
    peer.answer_in_turn(
        "GET /webhooks/deliveries/dlv_1",
        Answer(200, {**DELIVERY, "log": []}),
        Answer(200, DELIVERED),
    )
    ended = innoai("webhooks", "test", "whe_1")
    assert (ended.code, len(peer.asked)) == (0, 3)
    assert ended.out.splitlines()[0] == "succeeded: 200 after 12 ms"
    assert json.loads(innoai("webhooks", "test", "whe_1", "--json").out) == DELIVERED


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        ({**ATTEMPT, "status": 500}, "failed: 500 after 12 ms"),
        (
            {**ATTEMPT, "status": None, "error": "connection refused"},
            "failed: connection refused after 12 ms",
        ),
    ],
)
def test_a_test_that_fails_is_told_with_exit_code_1_though_it_will_be_tried_again(
    peer: Peer, innoai: Run, attempt: dict[str, Any], said: str
) -> None:
    peer.answer("POST /webhooks/whe_1/test", 202, DELIVERY)
    tried = {**DELIVERED, "state": "pending", "finished_at": None, "log": [attempt]}
    peer.answer("GET /webhooks/deliveries/dlv_1", 200, tried)
    ended = innoai("webhooks", "test", "whe_1")
    assert (ended.code, ended.out.splitlines()[0]) == (1, said)


def test_a_test_that_nobody_attempts_is_given_up(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /webhooks/whe_1/test", 202, DELIVERY)
    peer.answer("GET /webhooks/deliveries/dlv_1", 200, {**DELIVERY, "log": []})
    ended = innoai("webhooks", "test", "whe_1", "--wait", "0")
    assert (ended.code, ended.out.startswith("no attempt yet")) == (1, True)


def test_deliveries_are_listed_by_what_was_asked(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /webhooks/deliveries", 200, page(DELIVERY, next_cursor="c2"))
    ended = innoai(
        *("webhooks", "deliveries", "--endpoint", "whe_1", "--state", "failed"),
        *("--event-type", "key.created", "--limit", "1", "--cursor", "c1"),
    )
    assert peer.last.path == (
        "/v1/webhooks/deliveries?endpoint_id=whe_1&state=failed&event_type=key.created&limit=1&cursor=c1"
    )
    assert "dlv_1  key.created  pending  0" in ended.out
    assert ended.err.endswith("--event-type key.created --limit 1 --cursor c2\n")


def test_a_delivery_is_shown_with_its_attempts_and_event(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /webhooks/deliveries/dlv_1", 200, DELIVERED)
    ended = innoai("webhooks", "delivery", "dlv_1")
    assert "200     12           -      thanks" in ended.out
    assert '"type": "key.created"' in ended.out
    assert json.loads(innoai("webhooks", "delivery", "dlv_1", "--json").out) == DELIVERED


def test_one_delivery_or_all_that_failed_is_sent_again(peer: Peer, innoai: Run) -> None:
    peer.answer("POST /webhooks/deliveries/dlv_1/replay", 202, DELIVERY)
    assert json.loads(innoai("webhooks", "replay", "dlv_1", "--json").out) == DELIVERY
    peer.answer("POST /webhooks/whe_1/replay", 202, REPLAYED)
    ended = innoai("webhooks", "replay", "whe_1", "--since", "2026-11-24")
    assert peer.last.body == {"since": "2026-11-24T00:00:00Z"}
    assert "count   3\n" in ended.out


def test_event_types_are_a_table_and_in_json_whole(peer: Peer, innoai: Run) -> None:
    types = {"object": "list", "data": [EVENT_TYPE]}
    peer.answer("GET /webhooks/event-types", 200, types)
    assert "key.created  An API key was made." in innoai("webhooks", "event-types").out
    assert json.loads(innoai("webhooks", "event-types", "--json").out) == types


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "example.com"), "write http://127.0.0.1"),
        (("create", URL, "--header", "topsecret"), "write NAME=VALUE"),
        (("update", "whe_1"), "nothing to change"),
        (("show", "key_1"), "innoai webhooks list"),
        (("delivery", "whe_1"), "innoai webhooks deliveries"),
        (("replay", "whe_1"), "no delivery's id"),
        (("replay", "dlv_1", "--since", "2026-11-24"), "no endpoint's id"),
        (("rotate-secret", "whe_1", "--overlap", "long"), "write 90d"),
        (("deliveries", "--state", "lost"), "lost"),
        (("listen",), "--forward-to"),
        (("listen", "--forward-to", "localhost:3000"), "write http://127.0.0.1"),
    ],
)
def test_a_slip_is_told_before_anything_is_sent(
    peer: Peer, innoai_here: Run, arguments: tuple[str, ...], said: str
) -> None:
    ended = innoai_here("webhooks", *arguments)
    assert (ended.code, ended.out, peer.asked) == (2, "", [])
    assert said in ended.err
    assert "topsecret" not in ended.err
