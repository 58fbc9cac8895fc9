"""Every delivery is verified by the documentation's own receiver in Node, and by standardwebhooks."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import standardwebhooks
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from innoai.events import outbox
from innoai.events.types import EVENT_TYPES
from innoai.store import accounts
from innoai.store.database import Database
from tests.contract.webhooks import create_endpoint, deliveries_of, until, webhook_settings
from tests.support.envelope import refused
from tests.support.processes import Child
from tests.support.server import clean_environment
from tests.support.tools import needs, program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.server import Server

NODE = Path(__file__).parent / "node"
GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "webhooks.md"
pytestmark = needs("node", NODE / "node_modules")

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.just(-0.0)
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = (
    st.text(st.characters(), max_size=20)
    | st.integers(0, 2**33).map(str)
    | st.sampled_from(
        ["0", "00", "-1", "1.5", "__proto__", "constructor", "toString", "4294967295", "4294967294"]
    )
)
TEXTS = st.text(st.characters(), max_size=50) | st.sampled_from(
    ["-0", "1e1000", "\u2028\u2029", "\ud800", "\x7f"]
)
METADATA = st.dictionaries(NAMES, TEXTS, max_size=6) | st.dictionaries(NAMES, JSON_VALUES, max_size=3)


class NodeReceiver:
    """The Express app, a process of its own."""

    def __init__(self, address: str) -> None:
        self.url = f"{address}/webhooks"
        self._client = httpx.Client(base_url=address, timeout=30)

    def begin(self, secret: str) -> None:
        self._client.put("/secret", json={"secret": secret}).raise_for_status()

    def received(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._client.get("/received").raise_for_status().json()
        return found

    def close(self) -> None:
        self._client.close()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeReceiver]:
    command = [program("node"), str(NODE / "receiver.cjs")]
    child = Child(command, tmp_path_factory.mktemp("node"), clean_environment())
    try:
        child.wait_until_listening()
        receiver = NodeReceiver(child.address)
        yield receiver
        receiver.close()
    finally:
        child.kill()


@pytest.fixture(scope="module")
def own(new_server: Callable[..., Server]) -> Server:
    return new_server(webhook_settings())


@pytest.fixture(scope="module")
def caller(own: Server) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {own.admin_key}"}
    with httpx.Client(base_url=own.base_url, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture
def endpoint(caller: httpx.Client, node: NodeReceiver) -> Iterator[dict[str, Any]]:
    """An endpoint at the Node receiver, which knows its secret."""
    made = create_endpoint(caller, node.url)
    node.begin(made["secret"])
    yield made
    caller.delete(f"/webhooks/{made['id']}")


def all_verified(node: NodeReceiver, secret: str, count: int) -> list[dict[str, Any]]:
    """What came, when that is so many; each was verified there, and is here."""
    came = until(node.received, lambda came: len(came) >= count)
    assert len(came) == count
    for each in came:
        raw = base64.b64decode(each["raw"])
        assert each["verified"], raw
        assert standardwebhooks.Webhook(secret).verify(raw, each["headers"])["type"] == each["type"]
    return came


def shown_at(caller: httpx.Client, path: str) -> dict[str, Any]:
    shown: dict[str, Any] = caller.get(path).json()
    return shown


async def publish_everything(server: Server) -> list[str]:
    """Publish an event of each type with the table's example: the bodies."""
    database = Database(f"sqlite:///{server.store}")
    try:
        async with database.write() as connection:
            account = await accounts.first(connection)
            assert account is not None
            return [
                (await outbox.publish(connection, account.id, name, kind.example, time.time())).body
                for name, kind in EVENT_TYPES.items()
            ]
    finally:
        await database.close()


def test_the_guide_shows_the_function_that_these_tests_run() -> None:
    guide = GUIDE.read_text("utf-8")
    function = guide[guide.index("function isSigned") : guide.index("const app = express();")]
    assert function.strip() in (NODE / "receiver.cjs").read_text("utf-8")


def test_the_documentations_receiver_verifies_an_event_of_every_type(
    own: Server, node: NodeReceiver, endpoint: dict[str, Any]
) -> None:
    bodies = asyncio.run(publish_everything(own))
    came = all_verified(node, endpoint["secret"], len(bodies))
    assert {base64.b64decode(each["raw"]).decode() for each in came} == set(bodies)


def test_whatever_metadata_is_accepted_is_delivered_so_that_it_verifies(
    caller: httpx.Client, node: NodeReceiver, endpoint: dict[str, Any]
) -> None:
    accepted: dict[str, Any] = {}

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(METADATA)
    def create(metadata: dict[str, Any]) -> None:
        customer_id = f"customer-{len(accepted)}"
        text = json.dumps({"customer_id": customer_id, "metadata": metadata})
        answer = caller.post("/customers", content=text, headers={"content-type": "application/json"})
        if answer.status_code == 201:
            accepted[customer_id] = metadata
        else:
            assert refused(answer, "invalid_request")["message"]

    create()
    assert accepted
    came = all_verified(node, endpoint["secret"], len(accepted))
    told = [json.loads(base64.b64decode(each["raw"]))["data"] for each in came]
    assert {each["customer_id"]: each["metadata"] for each in told} == accepted


def test_a_receiver_that_changes_its_secret_late_misses_nothing(
    caller: httpx.Client, node: NodeReceiver, endpoint: dict[str, Any]
) -> None:
    rotated = caller.post(f"/webhooks/{endpoint['id']}/rotate-secret", json={"overlap": 600}).json()
    assert rotated["secret"] != endpoint["secret"]
    for secret, verified in ((endpoint["secret"], [False, True]), (rotated["secret"], [True])):
        node.begin(secret)
        delivery = caller.post(f"/webhooks/{endpoint['id']}/test").json()
        path = f"/webhooks/deliveries/{delivery['id']}"
        state = until(partial(shown_at, caller, path), lambda shown: shown["attempts"] == 1)
        assert state["state"] == "succeeded"
        came = node.received()
        assert [each["verified"] for each in came] == verified
        for each in came:
            raw = base64.b64decode(each["raw"])
            for known in (endpoint["secret"], rotated["secret"]):
                assert standardwebhooks.Webhook(known).verify(raw, each["headers"])
    assert {each["state"] for each in deliveries_of(caller, endpoint["id"])} == {"succeeded"}
