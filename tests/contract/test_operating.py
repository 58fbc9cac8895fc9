"""What an operator does to an installation that is in use: none of it costs a key or a token."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sqlite3
import subprocess
import time
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest
from sqlalchemy import select

from innoai.store.database import Database
from innoai.store.tables import usage_records
from tests.contract.clients import HELLO, bearer, create_key, mint
from tests.support.dead_wires import dead_wires
from tests.support.envelope import refused
from tests.support.server import MODEL, Server
from tests.support.settings import settings
from tests.support.store import change_store
from tests.support.tools import needs
from tests.support.wire import KeptConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    NewServer = Callable[..., Server]

PROMISE = 1.0
"""Seconds within which every replica refuses what was revoked at one: the README's figure."""
PATIENCE = 20.0
READY_SECONDS = 8.0
END_SECONDS = 15.0
"""How long a server without requests takes to end while its store says nothing: supervisors kill after 45."""
CONFIGURATION = 10
STORE_COMMANDS = ("init", "serve", "rotate-signing-key")
SECRET = "a secret of an installation, long enough to be one"
ECHO = settings({MODEL: [{"base_url": "echo:"}]})


@pytest.fixture
def own(new_server: NewServer) -> Iterator[Server]:
    """A server of the test's own, with the echo model."""
    server = new_server(ECHO)
    yield server
    server.close()


@pytest.fixture
def stopped(tmp_path: Path) -> Server:
    """An installation that is made, and whose server does not run."""
    return Server.initialise(tmp_path, ECHO, INNOAI_SECRET=SECRET)


@pytest.fixture
def client(own: Server) -> Iterator[httpx.Client]:
    """A client with the first key; it outlives the server's restarts."""
    with httpx.Client(base_url=own.base_url, headers=bearer(own.admin_key), timeout=30) as client:
        yield client


def until(holds: Callable[[], bool]) -> float:
    """Seconds until it holds."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() < started + PATIENCE
    return time.monotonic() - started


def restarted(server: Server, **environment: str) -> None:
    """Stop it, and start it with more in its environment."""
    assert server.stop() == 0
    server.environment = {**server.environment, **environment}
    server.start()


def rotated(server: Server, *options: str) -> str:
    """The id of the new signing key."""
    ended = server.operator("rotate-signing-key", "--json", *options)
    assert ended.returncode == 0, ended.stderr
    kid: str = json.loads(ended.stdout)["kid"]
    return kid


def kid_of(pair: dict[str, Any]) -> str:
    kid: str = jwt.get_unverified_header(pair["access_token"])["kid"]
    return kid


def works(server: Server, pair: dict[str, Any]) -> None:
    """Both tokens do what they are for."""
    answer = httpx.post(
        f"{server.base_url}/chat/completions", json=HELLO, headers=bearer(pair["access_token"])
    )
    assert answer.status_code == 200, answer.text
    refreshed = httpx.post(f"{server.base_url}/auth/refresh", json={"refresh_token": pair["refresh_token"]})
    assert refreshed.status_code == 200, refreshed.text


def one_line(ended: subprocess.CompletedProcess[str], *said: str) -> None:
    """The command ended as a configuration error, with one sentence that says all of `said`."""
    assert ended.returncode == CONFIGURATION, ended
    assert ended.stdout == ""
    errors = [line for line in ended.stderr.splitlines() if not line.startswith("hint: ")]
    assert len(errors) == 1, ended.stderr
    for piece in ("error: ", *said):
        assert piece in errors[0]


# Signing keys.


def test_a_rotated_signing_key_signs_in_the_running_server_and_the_former_goes_on_verifying(
    own: Server, client: httpx.Client
) -> None:
    before = mint(client, own.admin_key)
    kid = rotated(own)
    assert kid != kid_of(before)
    assert until(lambda: kid_of(mint(client, own.admin_key)) == kid) < PROMISE
    after = mint(client, own.admin_key)
    works(own, before)
    restarted(own)
    works(own, before)
    works(own, after)
    assert kid_of(mint(client, own.admin_key)) == kid


def test_leaked_signing_keys_end_at_once_and_so_does_all_that_they_signed(
    own: Server, client: httpx.Client
) -> None:
    oldest = mint(client, own.admin_key)
    kid = rotated(own)
    until(lambda: kid_of(mint(client, own.admin_key)) == kid)
    before = mint(client, own.admin_key)
    headers = bearer(before["access_token"])
    assert client.get("/models", headers=headers).status_code == 200
    rotated(own, "--leaked")
    assert until(lambda: client.get("/models", headers=headers).status_code == 401) < PROMISE
    for _ in range(2):
        for pair in (oldest, before):
            refused(client.get("/models", headers=bearer(pair["access_token"])), "invalid_api_key")
            refresh = client.post("/auth/refresh", json={"refresh_token": pair["refresh_token"]})
            refused(refresh, "invalid_api_key")
        works(own, mint(client, own.admin_key))
        restarted(own)


def test_a_token_that_was_revoked_stays_so_when_the_signing_key_rotates(
    own: Server, client: httpx.Client
) -> None:
    pair = mint(client, own.admin_key)
    assert client.post("/auth/revoke", json={"token": pair["access_token"]}).status_code == 200
    kid = rotated(own)
    until(lambda: kid_of(mint(client, own.admin_key)) == kid)
    refused(client.get("/models", headers=bearer(pair["access_token"])), "invalid_api_key")


def test_eddsa_on_a_store_of_hs256_signs_what_anybody_can_verify(own: Server, client: httpx.Client) -> None:
    former = mint(client, own.admin_key)
    published = f"{own.origin}/.well-known/jwks.json"
    assert httpx.get(published).json() == {"keys": []}
    restarted(own, INNOAI_TOKENS_ALGORITHM="EdDSA")
    works(own, former)
    pair = mint(client, own.admin_key, customer_id="acme")
    works(own, pair)
    (public,) = httpx.get(published).json()["keys"]
    assert (public["kty"], public["kid"]) == ("OKP", kid_of(pair))
    assert public.keys() == {"kty", "crv", "alg", "use", "kid", "x"}
    key = jwt.PyJWKClient(published).get_signing_key_from_jwt(pair["access_token"])
    claims = jwt.decode(pair["access_token"], key, ["EdDSA"], audience="innoai", issuer="innoai")
    assert claims["customer_id"] == "acme"
    restarted(own)
    assert kid_of(mint(client, own.admin_key)) == public["kid"]


def test_the_way_back_from_eddsa_keeps_its_tokens_and_its_public_key(
    own: Server, client: httpx.Client
) -> None:
    restarted(own, INNOAI_TOKENS_ALGORITHM="EdDSA")
    pair = mint(client, own.admin_key)
    restarted(own, INNOAI_TOKENS_ALGORITHM="HS256")
    works(own, pair)
    works(own, mint(client, own.admin_key))
    (public,) = httpx.get(f"{own.origin}/.well-known/jwks.json").json()["keys"]
    assert public["kid"] == kid_of(pair)


# The installation's secret.


def test_a_new_secret_beside_the_former_one_costs_no_key_and_no_token(new_server: NewServer) -> None:
    own = new_server(ECHO, INNOAI_SECRET=SECRET)
    with httpx.Client(base_url=own.base_url, headers=bearer(own.admin_key), timeout=30) as client:
        pair = mint(client, own.admin_key)
        restarted(own, INNOAI_SECRET=SECRET[::-1], INNOAI_SECRET_PREVIOUS=SECRET)
        works(own, pair)
        key = create_key(client)["key"]
        rotated(own)
        restarted(own)
        works(own, pair)
        for made_under_either in (own.admin_key, key):
            works(own, mint(client, made_under_either))


def test_doctor_names_the_keys_that_still_need_the_former_secret(new_server: NewServer) -> None:
    own = new_server(ECHO, INNOAI_SECRET=SECRET)
    restarted(own, INNOAI_SECRET=SECRET[::-1], INNOAI_SECRET_PREVIOUS=SECRET)
    with httpx.Client(base_url=own.base_url, headers=bearer(own.admin_key), timeout=30) as client:
        former = client.get("/auth/validate").json()["key_id"]
        later = create_key(client, scopes=["admin:full"])
        assert former in previous_secret(own)
        assert later["id"] not in previous_secret(own)
        assert client.delete(f"/keys/{former}").status_code == 204
    assert "no key and no secret in the store needs INNOAI_SECRET_PREVIOUS" in previous_secret(own)


def test_doctor_counts_all_that_is_sealed_under_the_former_secret_until_a_server_starts(
    new_server: NewServer,
) -> None:
    own = new_server(ECHO, INNOAI_SECRET=SECRET)
    with httpx.Client(base_url=own.base_url, headers=bearer(own.admin_key), timeout=30) as client:
        client.post("/webhooks", json={"url": "https://example.com/webhooks"}).raise_for_status()
    assert own.stop() == 0
    own.environment = {**own.environment, "INNOAI_SECRET": SECRET[::-1], "INNOAI_SECRET_PREVIOUS": SECRET}
    said = previous_secret(own)
    assert "1 signing keys" in said
    assert "1 webhook endpoints" in said
    own.start()
    said = previous_secret(own)
    assert "signing keys" not in said
    assert "webhook endpoints" not in said


def previous_secret(server: Server) -> str:
    """What doctor says of it."""
    report = json.loads(server.operator("doctor", "--json").stdout)
    assert report["ok"]
    return next(found["detail"] for found in report["findings"] if found["name"] == "previous secret")


def test_a_new_secret_without_the_former_one_stops_with_one_line(stopped: Server) -> None:
    stopped.environment = {**stopped.environment, "INNOAI_SECRET": SECRET[::-1]}
    for command in STORE_COMMANDS:
        one_line(stopped.operator(command), "another secret", "INNOAI_SECRET_PREVIOUS")


# Versions.


def test_a_store_of_a_newer_version_stops_with_one_line_and_stays_as_it_is(stopped: Server) -> None:
    change_store(stopped, "UPDATE alembic_version SET version_num = '9999'")
    before = _content(stopped.store)
    for command in STORE_COMMANDS:
        one_line(stopped.operator(command), "another version of innoai", "9999", "sqlite:///innoai.db")
    examined = stopped.operator("doctor", "--json")
    assert examined.returncode == CONFIGURATION
    (fault,) = [finding for finding in json.loads(examined.stdout)["findings"] if not finding["ok"]]
    assert (fault["name"], "newer one" in fault["remedy"]) == ("store", True)
    assert _content(stopped.store) == before


@pytest.mark.parametrize(("made", "said"), [("0001", "older version"), (None, "empty")])
def test_a_store_that_is_to_be_migrated_first_says_so_to_the_operator(
    made: str | None, said: str, stopped: Server
) -> None:
    change_store(stopped, "DELETE FROM alembic_version")
    if made:
        change_store(stopped, "INSERT INTO alembic_version VALUES (?)", made)
    for command in (("rotate-signing-key",), ("accounts", "list")):
        one_line(stopped.operator(*command), said, "sqlite:///innoai.db", "innoai init")
    examined = json.loads(stopped.operator("doctor", "--json").stdout)
    (fault,) = [finding for finding in examined["findings"] if not finding["ok"]]
    assert (fault["name"], fault["remedy"]) == ("store", "`innoai init` makes it this version's")


def test_to_look_for_a_store_does_not_make_one(stopped: Server) -> None:
    stopped.store.unlink()
    for command in (("rotate-signing-key",), ("accounts", "list")):
        one_line(stopped.operator(*command), "no store", "sqlite:///innoai.db", "innoai init")
    assert not stopped.store.exists()


def _content(file: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(file)) as store:
        return list(store.iterdump())


# Replicas.


def test_what_is_revoked_at_one_replica_is_refused_by_the_other_within_the_promise(
    own: Server, client: httpx.Client, new_replica: Callable[[Server], Server]
) -> None:
    other = new_replica(own)
    assert other.origin != own.origin
    key = create_key(client)
    pair = mint(client, key["key"])
    with httpx.Client(base_url=other.base_url, timeout=30) as there:

        def refuses(credential: str) -> bool:
            return there.get("/models", headers=bearer(credential)).status_code == 401

        assert not refuses(key["key"])
        assert not refuses(pair["access_token"])
        assert client.delete(f"/keys/{key['id']}").status_code == 204
        assert until(lambda: refuses(key["key"])) < PROMISE
        assert refuses(pair["access_token"])
        refused(there.post("/auth/refresh", json={"refresh_token": pair["refresh_token"]}), "invalid_api_key")


def test_a_key_made_at_one_replica_is_known_at_the_other_at_once(
    own: Server, client: httpx.Client, new_replica: Callable[[Server], Server]
) -> None:
    other = new_replica(own)
    for _ in range(5):
        works(other, mint(client, create_key(client)["key"]))


async def test_replicas_that_share_their_limits_let_exactly_the_limit_pass(
    new_server: NewServer, new_replica: Callable[[Server], Server], redis_url: str
) -> None:
    limit = 20
    shared = {"limits": {"url": redis_url}}
    own = new_server(settings({MODEL: [{"base_url": "echo:"}]}, shared))
    replicas = itertools.cycle((own, new_replica(own)))
    with httpx.Client(base_url=own.base_url, headers=bearer(own.admin_key)) as client:
        key = create_key(client, rate_limit=limit)["key"]
    started = time.monotonic()
    async with httpx.AsyncClient(headers=bearer(key), timeout=30) as asking:
        answers = await asyncio.gather(
            *(
                asking.post(f"{next(replicas).base_url}/chat/completions", json=HELLO)
                for _ in range(2 * limit)
            )
        )
    refilled = int((time.monotonic() - started) * limit / 60)
    passed = [answer for answer in answers if answer.status_code == 200]
    assert limit <= len(passed) <= limit + refilled
    for answer in answers:
        if answer not in passed:
            refused(answer, "rate_limit_exceeded")


# Postgres.


@needs("curl")
def test_on_postgres_a_killed_server_comes_back_with_what_it_acknowledged(
    new_server: NewServer, new_postgres: Callable[[str | None], str]
) -> None:
    url = new_postgres(None)
    own = new_server(settings({MODEL: [{"base_url": "echo:"}]}, {"store": {"url": url}}))
    assert not own.store.exists()
    with httpx.Client(base_url=own.base_url, headers=bearer(own.admin_key), timeout=30) as client:
        kept, gone = create_key(client), create_key(client)
        pair = mint(client, kept["key"], customer_id="acme")
        assert client.delete(f"/keys/{gone['id']}").status_code == 204
        request_id = _curl(own, kept["key"])
        own.kill()
        own.start()
        works(own, pair)
        assert client.get("/customers/acme").status_code == 200
        refused(client.get("/models", headers=bearer(gone["key"])), "invalid_api_key")
    assert _curl(own, kept["key"]) != request_id
    until(lambda: asyncio.run(_is_recorded(url, request_id)))
    assert json.loads(own.operator("doctor", "--json").stdout)["ok"] is True


def test_on_postgres_a_server_whose_connections_died_without_a_word_makes_new_ones(
    new_server: NewServer, new_postgres: Callable[[str | None], str]
) -> None:
    with dead_wires(new_postgres(None)) as wires:
        own = new_server(settings({MODEL: [{"base_url": "echo:"}]}, {"store": {"url": wires.url}}))
        with httpx.Client(base_url=own.base_url, headers=bearer(own.admin_key), timeout=PATIENCE) as client:
            create_key(client)
            wires.cut()
            assert until(lambda: _silence(own) < 1 and _is_ready(own)) < PATIENCE
            create_key(client)
            assert client.post("/chat/completions", json=HELLO).status_code == 200
        own.close()


def test_on_postgres_a_server_is_not_ready_while_the_store_says_nothing_and_ends_in_time(
    new_server: NewServer, new_postgres: Callable[[str | None], str]
) -> None:
    with dead_wires(new_postgres(None)) as wires:
        own = new_server(settings({MODEL: [{"base_url": "echo:"}]}, {"store": {"url": wires.url}}))
        wires.takes_new = False
        wires.cut()
        for _ in range(2):
            asked_at = time.monotonic()
            assert not _is_ready(own)
            assert time.monotonic() - asked_at < READY_SECONDS
        headers = bearer(own.admin_key)
        answer = httpx.get(f"{own.base_url}/auth/validate", headers=headers, timeout=PATIENCE)
        refused(answer, "service_unavailable")
        stopped_at = time.monotonic()
        assert own.stop() == 0
        assert time.monotonic() - stopped_at < END_SECONDS


def _is_ready(server: Server) -> bool:
    return httpx.get(f"{server.origin}/readyz", timeout=PATIENCE).status_code == 200


def _silence(server: Server) -> float:
    """Seconds since the server heard what changed."""
    counted = httpx.get(f"{server.origin}/metrics", timeout=PATIENCE).text
    return float(counted.split("\ninnoai_feed_silence_seconds ")[1].split("\n")[0])


def _curl(server: Server, key: str) -> str:
    """The seed's request; the id of its answer."""
    headers = ["-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json"]
    command = ["curl", "-sS", "-D", "-", f"{server.base_url}/chat/completions", *headers]
    asked = subprocess.run(
        [*command, "-d", json.dumps(HELLO)], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    head, _, body = asked.stdout.partition("\n\n")
    assert json.loads(body)["choices"][0]["message"]["content"]
    lines = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    return lines["x-request-id"]


async def _is_recorded(url: str, request_id: str) -> bool:
    database = Database(url)
    try:
        async with database.read() as connection:
            rows = await connection.execute(select(usage_records.c.request_id))
            return request_id in rows.scalars().all()
    finally:
        await database.close()


# Odd targets.


@pytest.mark.parametrize("authority", ["gateway.example", "127.0.0.1:8080", "[::1]:8080"])
def test_a_target_in_absolute_form_means_its_path(server: Server, authority: str) -> None:
    with KeptConnection(server.address) as connection:

        def ask(method: str, path: str, body: bytes = b"") -> Any:
            return connection.ask(_absolute(method, authority, path, server.admin_key, body))

        for _ in range(2):
            answer = ask("POST", "/v1/chat/completions", json.dumps(HELLO).encode())
            assert answer.status_code == 200, answer.body
            assert answer.json()["object"] == "chat.completion"
            assert [model["id"] for model in ask("GET", "/v1/models").json()["data"]] == [MODEL]
            assert ask("GET", "/v1/keys?limit=1").json()["data"][0]["object"] == "api_key"
            assert ask("GET", "/healthz").json() == {"status": "ok"}
            assert ask("GET", "/v1/nothing").json()["error"]["code"] == "not_found"


def test_a_target_in_absolute_form_without_a_path_means_the_home_page(own: Server) -> None:
    with KeptConnection(own.address) as connection:
        answer = connection.ask(_absolute("GET", "gateway.example", "", own.admin_key))
    assert answer.status_code == 303, answer.body
    assert answer.headers["location"] == "/login"


def _absolute(method: str, authority: str, path: str, key: str, body: bytes = b"") -> bytes:
    """A request as to a proxy, which a server understands as well (RFC 9112 §3.2.2)."""
    lines = [
        f"{method} http://{authority}{path} HTTP/1.1",
        f"Host: {authority}",
        f"Authorization: Bearer {key}",
    ]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


# Doctor.


def test_doctor_names_what_the_server_runs_on_and_no_password(stopped: Server, redis_url: str) -> None:
    kid = rotated(stopped)
    ended = stopped.operator("doctor", "--json")
    assert ended.returncode == 0, ended.stdout
    report = json.loads(ended.stdout)
    assert report["ok"] is True
    findings = {finding["name"]: finding for finding in report["findings"]}
    assert findings.keys() == {"settings", "secret", "store", "signing key", "usage spool", "limits"}
    assert all(finding["ok"] and finding["remedy"] is None for finding in findings.values())
    assert findings["secret"]["detail"] == "INNOAI_SECRET"
    assert findings["settings"]["detail"] == str(stopped.directory / "innoai.toml")
    assert findings["store"]["detail"] == str(stopped.store)
    assert kid in findings["signing key"]["detail"]
    limits = redis_url.replace("redis://", "redis://:a-password@")
    stopped.environment = {**stopped.environment, "INNOAI_LIMITS_URL": limits}
    ended = stopped.operator("doctor", "--json")
    assert redis_url.partition("//")[2] in ended.stdout
    assert "a-password" not in ended.stdout + ended.stderr
    assert SECRET not in ended.stdout + ended.stderr
