"""What happened is delivered, whatever happens: death, several servers, receivers that misbehave."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.contract.clients import bearer, create_key
from tests.contract.webhooks import create_endpoint, deliveries_of, until, webhook_settings
from tests.support.receiver import Receiver
from tests.support.store import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.server import Server

MISBEHAVIOURS = ("/hang", "/drip", "/close", "/redirect", "/status/500", "/garbage", "/endless")
PER_ENDPOINT = 4


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().running() as running:
        yield running


def client_of(server: Server) -> httpx.Client:
    return httpx.Client(base_url=server.base_url, headers=bearer(server.admin_key), timeout=30)


def to_be_delivered(server: Server) -> list[str]:
    """The event of each delivery in the store."""
    return [row[0] for row in rows_of(server, "SELECT event_id FROM deliveries")]


def test_a_killed_server_delivers_after_its_restart_what_it_had_acknowledged(
    new_server: Callable[..., Server], receiver: Receiver
) -> None:
    server = new_server(webhook_settings())
    acknowledged: set[str] = set()
    with client_of(server) as client:
        create_endpoint(client, receiver.url("/gated"), event_types=["key.created"])
        with ThreadPoolExecutor(4) as pool:
            acknowledged.update(pool.map(lambda _: str(create_key(client)["id"]), range(40)))
    under_way = {received.event_id for received in receiver.at("/gated")}
    server.kill()
    published = set(to_be_delivered(server))
    assert len(published) == len(acknowledged)
    receiver.open.set()
    server.start()
    came = receiver.wait_for(
        "/gated", lambda came: published <= {each.event_id for each in came[len(under_way) :]}
    )
    assert {each.event_id for each in came} == published
    for event_id in under_way:
        bodies = {each.body for each in came if each.event_id == event_id}
        assert len(bodies) == 1
    assert {each.headers["webhook-id"] for each in came} == published


def test_replicas_share_the_work_and_deliver_nothing_twice(
    new_server: Callable[..., Server], new_replica: Callable[[Server], Server], receiver: Receiver
) -> None:
    first = new_server(webhook_settings())
    second = new_replica(first)
    with client_of(first) as client, client_of(second) as other:
        made = create_endpoint(client, receiver.url("/ok"), event_types=["key.created"])
        for number in range(30):
            create_key(client if number % 2 else other)
        until(lambda: deliveries_of(client, made["id"], state="succeeded"), lambda found: len(found) == 30)
    assert Counter(each.event_id for each in receiver.at("/ok")) == Counter(to_be_delivered(first))


def test_receivers_that_misbehave_do_not_slow_the_others(
    new_server: Callable[..., Server], receiver: Receiver
) -> None:
    server = new_server(webhook_settings(timeout=60.0))
    with client_of(server) as client:
        bad = {
            path: create_endpoint(client, receiver.url(path), event_types=["key.created"])["id"]
            for path in MISBEHAVIOURS
        }
        good = create_endpoint(client, receiver.url("/ok"), event_types=["key.created"])["id"]
        for _ in range(40):
            create_key(client)
        # All this while those that hang have a minute each, and four of them at a time.
        receiver.wait_for("/ok", lambda came: len(came) == 40)
        for path in ("/hang", "/drip"):
            assert {each["attempts"] for each in deliveries_of(client, bad[path])} == {0}
            assert len(receiver.at(path)) <= PER_ENDPOINT
        redirected = deliveries_of(client, bad["/redirect"])
        attempted = next(each for each in redirected if each["attempts"])
        (attempt, *_) = client.get(f"/webhooks/deliveries/{attempted['id']}").json()["log"]
        assert (attempt["status"], attempt["error"].split(";")[0]) == (302, "redirects are not followed")
        until(lambda: deliveries_of(client, good, state="succeeded"), lambda found: len(found) == 40)
        receiver.over.set()


def test_an_address_inside_is_refused_when_the_delivery_is_made(
    new_server: Callable[..., Server], receiver: Receiver
) -> None:
    server = new_server(webhook_settings(allowed_networks=[]))
    url = receiver.url("/ok").replace("127.0.0.1", "localhost")
    with client_of(server) as client:
        made = create_endpoint(client, url)
        delivery = client.post(f"/webhooks/{made['id']}/test").json()
        shown = until(
            lambda: client.get(f"/webhooks/deliveries/{delivery['id']}").json(),
            lambda shown: bool(shown["log"]),
        )
    assert "localhost is at an address that is not public" in shown["log"][0]["error"]
    assert "127.0.0.1" not in shown["log"][0]["error"]
    assert shown["log"][0]["status"] is None
    assert receiver.at("/ok") == []
