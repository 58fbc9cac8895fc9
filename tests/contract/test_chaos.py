"""Everything goes wrong, again and again: servers die or freeze, the store crashes, hangs up or falls silent.

Callers do meanwhile what they always do, and what was promised to them is counted afterwards. `make chaos`
goes on for longer; CHAOS_SEED names another course of events.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import pytest
from sqlalchemy import func, select

from innoai.metering.spool import waiting_in
from innoai.money import NANO
from innoai.store.database import Database
from innoai.store.tables import api_keys, usage_records
from tests.contract.clients import HELLO, bearer, create_key
from tests.contract.webhooks import create_endpoint
from tests.support.dead_wires import dead_wires
from tests.support.receiver import Receiver
from tests.support.server import MODEL, Server
from tests.support.settings import settings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import Row, Select

    from tests.support.dead_wires import DeadWires
    from tests.support.receiver import Received

SECONDS = float(os.environ.get("CHAOS_SECONDS", "15"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
LONGEST_CALM = 3.0
LONGEST_TROUBLE = 5.0
RECOVERY = 60.0
"""Seconds that a store which is whole again has for what waits in the spools."""
PATIENCE = 50.0
"""Seconds after which a caller gives up; the longest that a server waits for a store without a word is 40."""
PROMISE = 1.0
"""Seconds within which every replica refuses what was revoked at one: the README's figure."""
MAX_STALE = 3.0
"""Seconds for which a replica that the store does not answer goes by its memory."""
TRIED_SECONDS = 5.0
"""For so long a revoked key is tried again."""
RETRY_SECONDS = 25.0
"""For so long a refresh token that rotates may be sent again; the server's own figure is 30."""
CHAIN = 20
BUDGET = 200
MANY = 1_000_000
PRICE = f'[models."{MODEL}".price]\nrequest = 1\n'

Trouble = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Scene:
    """Two servers of one installation, and what callers were told.

    `bound`: seconds after its revocation within which a key may still be let in.
    """

    bound: float
    servers: tuple[Server, Server]
    urls: tuple[str, str]
    store: str
    key: str
    bounded: str
    bounded_id: str
    receiver: Receiver
    answered: list[str] = field(default_factory=list)
    """Ids of the requests that were answered in whole."""
    let_in: list[float] = field(default_factory=list)
    """How many seconds after its revocation was confirmed a key was let in."""
    created: dict[str, str] = field(default_factory=dict)
    """The id of each key that was asked for until it was there, by its name."""
    faults: list[str] = field(default_factory=list)
    """Answers that nothing excuses."""
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def admin(self) -> dict[str, str]:
        """The header of the first key."""
        return bearer(self.servers[0].admin_key)

    def rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        """What the store says."""
        return asyncio.run(_rows(self.store, query))


async def _rows(store: str, query: Select[Any]) -> Sequence[Row[Any]]:
    database = Database(store)
    try:
        async with database.read() as connection:
            return (await connection.execute(query)).all()
    finally:
        await database.close()


# What callers do.


def sent(
    client: httpx.Client, method: str, url: str, headers: dict[str, str], body: object
) -> httpx.Response:
    """The answer; what has no answer counts as unavailable."""
    try:
        return client.request(method, url, headers=headers, json=body)
    except httpx.HTTPError:
        return httpx.Response(503)


def chat(scene: Scene, client: httpx.Client, url: str, key: str) -> int:
    """The status of a request for inference."""
    answer = sent(client, "POST", f"{url}/chat/completions", bearer(key), HELLO)
    if answer.status_code == 200:
        scene.answered.append(answer.headers["x-request-id"])
    elif answer.status_code not in (401, 402, 503):
        scene.faults.append(answer.text)
    return answer.status_code


def ask(scene: Scene, client: httpx.Client, which: int, key: str) -> None:
    """Use a key that lives."""
    if chat(scene, client, scene.urls[which], key) == 401:
        scene.faults.append("a live key was refused")
    time.sleep(0.005)


def revoke(scene: Scene, client: httpx.Client, which: int) -> None:
    """Make a key, use it at both, revoke it, and try it again."""
    made = sent(client, "POST", f"{scene.urls[which]}/keys", scene.admin, {"name": "short-lived"})
    if made.status_code != 201:
        return
    key = made.json()
    for url in scene.urls:
        chat(scene, client, url, key["key"])
    ended = sent(client, "DELETE", f"{scene.urls[which]}/keys/{key['id']}", scene.admin, None)
    confirmed_at = time.monotonic()
    if ended.status_code != 204:
        return
    for url in itertools.cycle(scene.urls):
        tried_at = time.monotonic()
        if tried_at > confirmed_at + TRIED_SECONDS:
            return
        if chat(scene, client, url, key["key"]) == 200:
            scene.let_in.append(tried_at - confirmed_at)


def create_once(scene: Scene, client: httpx.Client, which: int) -> None:
    """Ask for a key until it is there, each time in the same words."""
    name = f"asked for {which}.{len(scene.created)}"
    headers = {**scene.admin, "idempotency-key": name.replace(" ", "-")}
    for turn in itertools.count(which):
        answer = sent(client, "POST", f"{scene.urls[turn % 2]}/keys", headers, {"name": name})
        if answer.status_code == 201:
            scene.created[name] = answer.json()["id"]
            return
        if answer.status_code not in (500, 503):
            scene.faults.append(answer.text)


def refresh(scene: Scene, client: httpx.Client, which: int) -> None:
    """Follow a chain of refresh tokens, each of which is sent until it is answered."""
    answer = sent(client, "POST", f"{scene.urls[which]}/auth/token", bearer(scene.key), {"rotate": True})
    if answer.status_code != 200:
        return
    token, answered_at = answer.json()["refresh_token"], time.monotonic()
    for turn in range(CHAIN):
        body = {"refresh_token": token}
        answer = sent(client, "POST", f"{scene.urls[turn % 2]}/auth/refresh", {}, body)
        if answer.status_code == 200:
            token, answered_at = answer.json()["refresh_token"], time.monotonic()
        elif time.monotonic() > answered_at + RETRY_SECONDS:
            return
        elif answer.status_code not in (500, 503):
            scene.faults.append(answer.text)
            return


def until_over(scene: Scene, act: Callable[[httpx.Client], None]) -> None:
    with httpx.Client(timeout=PATIENCE) as client:
        while not scene.over.is_set():
            act(client)


@contextmanager
def callers(scene: Scene) -> Iterator[None]:
    """They do all of this at once, at both servers."""
    acts = [partial(act, scene, which=which) for act in (revoke, create_once, refresh) for which in (0, 1)]
    acts += [
        partial(ask, scene, which=which, key=key) for key in (scene.key, scene.bounded) for which in (0, 1)
    ]
    threads = [threading.Thread(target=until_over, args=(scene, act)) for act in acts]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        scene.over.set()
        for thread in threads:
            thread.join()


# What goes wrong.


def kill(*servers: Server) -> None:
    for server in servers:
        server.kill()
    for server in servers:
        server.start()


def freeze(server: Server, chance: random.Random) -> None:
    server.child.send_signal(signal.SIGSTOP)
    time.sleep(chance.random() * LONGEST_TROUBLE)
    server.child.send_signal(signal.SIGCONT)


def fall_silent(wires: DeadWires, chance: random.Random) -> None:
    wires.takes_new = False
    wires.cut()
    time.sleep(chance.random() * LONGEST_TROUBLE)
    wires.takes_new = True
    wires.cut()


def crash(url: str, chance: random.Random) -> None:
    """End one of Postgres' processes, whereupon it ends them all and recovers."""
    # It may still recover from the last time, or the process have ended by itself.
    already = (asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError, ConnectionError)
    with contextlib.suppress(*already, IndexError, ProcessLookupError):
        os.kill(chance.choice(asyncio.run(_backends(url))), signal.SIGKILL)


async def _backends(url: str) -> list[int]:
    connection = await asyncpg.connect(url)
    try:
        query = (
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return [row["pid"] for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def _keep_what_is_committed(url: str) -> None:
    """Elsewhere in the tests Postgres need not: a crash may cost the last commits."""
    connection = await asyncpg.connect(url)
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = on")
    await connection.close()


def run(scene: Scene, troubles: Sequence[Trouble], chance: random.Random) -> None:
    """One trouble after the other, for SECONDS."""
    until = time.monotonic() + SECONDS
    with callers(scene):
        while time.monotonic() < until:
            time.sleep(chance.random() * LONGEST_CALM)
            chance.choice(troubles)()


# What was promised.


def settle(scene: Scene) -> None:
    """Wait until no record waits any more."""
    spool, deadline = scene.servers[0].directory / "innoai-spool", time.monotonic() + RECOVERY
    while waiting_in(spool):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def check(scene: Scene) -> None:
    assert scene.faults == []
    recorded = {row.request_id for row in scene.rows(select(usage_records.c.request_id))}
    assert scene.answered
    assert set(scene.answered) - recorded == set()
    of_bounded = usage_records.c.key_id == scene.bounded_id
    ((cost,),) = scene.rows(select(func.sum(usage_records.c.cost)).where(of_bounded))
    assert 0 < cost <= BUDGET * NANO
    assert [seconds for seconds in scene.let_in if seconds > scene.bound] == []
    keys = scene.rows(select(api_keys.c.name, api_keys.c.id).where(api_keys.c.name.like("asked for %")))
    assert sorted(map(tuple, keys)) == sorted(scene.created.items())
    scene.receiver.wait_for("/ok", partial(tells_of, scene.created.values()))
    verdict = scene.servers[0].cli("audit", "verify")
    assert verdict.returncode == 0, verdict.stderr


def tells_of(key_ids: Collection[str], received: Sequence[Received]) -> bool:
    """Whether a webhook has come for the creation of each key."""
    return set(key_ids) <= {json.loads(each.body)["data"]["id"] for each in received}


@pytest.fixture
def new_scene(
    new_server: Callable[..., Server], new_replica: Callable[[Server], Server]
) -> Iterator[Callable[[str | None], Scene]]:
    """Makes a scene on the Postgres of a URL, or on SQLite, and what its callers need."""

    def make(url: str | None) -> Scene:
        sections: dict[str, dict[str, object]] = {"webhooks": {"allowed_networks": ["127.0.0.0/8"]}}
        if url is not None:
            sections["store"] = {"url": url, "max_stale": MAX_STALE}
        first = new_server(settings({MODEL: [{"base_url": "echo:"}]}, sections) + PRICE)
        servers = first, new_replica(first)
        with httpx.Client(base_url=first.base_url, headers=bearer(first.admin_key)) as admin:
            key = create_key(admin, rate_limit=MANY)["key"]
            bounded = create_key(admin, rate_limit=MANY, budgets={"total": BUDGET})
            create_endpoint(admin, receiver.url("/ok"), event_types=["key.created"])
        urls = first.base_url, servers[1].base_url
        bound, store = (PROMISE, f"sqlite:///{first.store}") if url is None else (MAX_STALE, url)
        return Scene(bound, servers, urls, store, key, bounded["key"], bounded["id"], receiver)

    with Receiver().running() as receiver:
        yield make


@pytest.mark.timeout(SECONDS + PATIENCE + 2 * RECOVERY)
def test_on_sqlite_promises_hold_whatever_becomes_of_the_servers(
    new_scene: Callable[[str | None], Scene],
) -> None:
    scene, chance = new_scene(None), random.Random(SEED)
    one, other = scene.servers
    run(
        scene,
        [partial(kill, one), partial(kill, other), partial(kill, one, other), partial(freeze, other, chance)],
        chance,
    )
    settle(scene)
    check(scene)


@pytest.mark.timeout(SECONDS + PATIENCE + 2 * RECOVERY)
def test_on_postgres_promises_hold_whatever_becomes_of_servers_and_store(
    new_scene: Callable[[str | None], Scene], new_postgres: Callable[[str | None], str]
) -> None:
    url, chance = new_postgres(None), random.Random(SEED)
    asyncio.run(_keep_what_is_committed(url))
    with ExitStack() as stack:
        wires = stack.enter_context(dead_wires(url))
        scene = new_scene(wires.url)
        stack.callback(scene.servers[1].close)
        stack.callback(scene.servers[0].close)
        other = scene.servers[1]
        run(
            scene,
            [
                wires.cut,
                wires.hang_up,
                partial(fall_silent, wires, chance),
                partial(crash, url, chance),
                partial(kill, other),
                partial(freeze, other, chance),
            ],
            chance,
        )
        settle(scene)
        check(scene)
