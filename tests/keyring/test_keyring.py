from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec import structs
from sqlalchemy import delete, update

from innoai.access.networks import parse_networks
from innoai.access.principal import Principal, Unauthenticated
from innoai.access.tiers import DEFAULT_TIERS
from innoai.access.tokens import REFRESH_LIFETIME, mint
from innoai.config import ConfigError, TokenSettings
from innoai.errors import InnoError
from innoai.fresh_ids import fresh_id
from innoai.keyring import keyring as keyring_module
from innoai.keyring.bindings import Bindings
from innoai.keyring.feed import CURRENT_SECONDS, ChangeFeed
from innoai.keyring.keyring import Keyring
from innoai.limiter import MemoryLimiter
from innoai.store import accounts, api_keys, changes, customers, members, sessions, signing_keys
from innoai.store.members import MemberRecord
from innoai.store.secrets import Secrets
from innoai.store.tables import accounts as accounts_table
from innoai.store.tables import signing_keys as signing_keys_table
from tests.keyring.replica import MAX_STALE, SESSION_IDLE, Clock, Replica, open_replica
from tests.support.stores import ACCOUNT, NOW, SECRETS, add_customer, add_key, new_key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.store.changes import Change
    from innoai.store.database import Database


@pytest.fixture
async def there(signing: Database, clock: Clock) -> Replica:
    """A second replica on the same store."""
    return await open_replica(signing, clock)


def principal(found: object) -> Principal:
    assert isinstance(found, Principal)
    return found


def refusal_code(found: object) -> str:
    assert isinstance(found, Unauthenticated)
    return found.refusal.code


async def rotate(replica: Replica, kid: str) -> None:
    async with replica.database.write() as connection:
        await signing_keys.rotate(
            connection, SECRETS, kid=kid, algorithm="HS256", secret=kid.encode().ljust(32), now=NOW
        )
    await replica.heed()


# API keys.


async def test_a_key_is_read_from_the_store_once_and_then_from_memory(here: Replica) -> None:
    record = await here.add_key(1)
    assert here.keyring.cached(new_key(1)) is None
    assert principal(await here.keyring.resolve(new_key(1))).key.id == record.id
    assert principal(here.keyring.cached(new_key(1))).key.id == record.id
    await here.keyring.resolve(new_key(1))
    assert here.store.reads == 1


async def test_a_digest_that_was_made_before_stands_for_its_credential(here: Replica) -> None:
    record = await here.add_key(1)
    seen = here.keyring.digest(new_key(1))
    assert here.keyring.cached(new_key(1), seen) is None
    await here.keyring.resolve(new_key(1))
    assert principal(here.keyring.cached(new_key(1), seen)).key.id == record.id
    await here.revoke_key(record.id)
    await here.heed()
    assert here.keyring.cached(new_key(1), seen) is None


async def test_a_key_stands_for_what_its_row_says(here: Replica) -> None:
    await here.add_key(
        1,
        scopes=("inference:read",),
        allowed_ips=("10.0.0.0/8",),
        rate_limit=7,
        models=("a-model",),
        expires_at=NOW + 5,
    )
    found = principal(await here.keyring.resolve(new_key(1)))
    assert (found.account.id, found.account.tier, found.account.disabled) == (
        ACCOUNT.id,
        ACCOUNT.tier,
        False,
    )
    assert found.key.scopes == {"inference:read"}
    assert found.key.networks == parse_networks(["10.0.0.0/8"])
    assert (found.key.rate_limit, found.key.expires_at, found.key.revoked_at) == (7, NOW + 5, None)
    assert found.key.models == frozenset(("a-model",))
    assert (found.customer, found.token) == (None, None)


async def test_a_key_that_was_never_issued_is_unknown_each_time_anew(here: Replica) -> None:
    assert refusal_code(await here.keyring.resolve(new_key(1))) == "invalid_api_key"
    await here.add_key(1)
    assert principal(await here.keyring.resolve(new_key(1))).key.id == "key_0001"


@pytest.mark.parametrize(
    "credential", ["", "sk-inno-", "sk-inno-" + "0" * 49, "Bearer", "a.b", "a.b.c.d", "ä.b.c", "x" * 9000]
)
async def test_what_is_no_credential_is_refused_without_asking_the_store(
    here: Replica, credential: str
) -> None:
    assert refusal_code(here.keyring.cached(credential)) == "invalid_api_key"
    assert refusal_code(await here.keyring.resolve(credential)) == "invalid_api_key"
    assert here.store.reads == 0


async def test_a_key_with_a_typo_is_refused_without_asking_the_store(here: Replica) -> None:
    key = new_key(1)
    typo = key[:-1] + ("0" if key[-1] != "0" else "1")
    assert refusal_code(here.keyring.cached(typo)) == "invalid_api_key"


async def test_a_key_from_before_a_change_of_secret_is_found(signing: Database, clock: Clock) -> None:
    before = await open_replica(signing, clock)
    await before.add_key(1)
    new, old = b"a new secret for this installation, in a test", b"the secret of this installation, in a test"
    after = await open_replica(signing, clock, Secrets(new, old))
    assert principal(await after.keyring.resolve(new_key(1))).key.id == "key_0001"
    assert principal(after.keyring.cached(new_key(1))).key.id == "key_0001"
    await after.add_key(2)
    assert principal(await after.keyring.resolve(new_key(2))).key.id == "key_0002"


async def test_a_key_is_found_by_its_id(here: Replica) -> None:
    await here.add_key(1)
    found = await here.keyring.key("key_0001")
    assert principal(found).key.id == "key_0001"
    assert await here.keyring.key("key_0001") is found
    assert await here.keyring.key("key_nobody") is None
    assert here.store.reads == 2


# What the other replicas hear.


async def test_a_key_revoked_here_is_revoked_there_at_the_next_poll(here: Replica, there: Replica) -> None:
    record = await here.add_key(1)
    assert principal(await there.keyring.resolve(new_key(1))).key.revoked_at is None
    await here.revoke_key(record.id)
    await there.heed()
    assert there.keyring.cached(new_key(1)) is None
    assert principal(await there.keyring.resolve(new_key(1))).key.revoked_at == NOW


class Told:
    """Passes on what is heard, and tells that it was."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self.heard = asyncio.Event()

    async def load(self, connection: AsyncConnection) -> None:
        await self._keyring.load(connection)

    async def hear(self, connection: AsyncConnection, news: list[Change]) -> None:
        await self._keyring.hear(connection, news)
        self.heard.set()


async def test_a_replica_that_follows_hears_of_a_revocation_by_itself(here: Replica, there: Replica) -> None:
    record = await here.add_key(1)
    await there.heed()
    await there.keyring.resolve(new_key(1))
    told = Told(there.keyring)
    following = asyncio.create_task(there.feed.follow(told))
    await here.revoke_key(record.id)
    await told.heard.wait()
    assert principal(await there.keyring.resolve(new_key(1))).key.revoked_at == NOW
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following


async def test_a_changed_key_is_read_anew(here: Replica, there: Replica) -> None:
    await here.add_key(1)
    await there.keyring.resolve(new_key(1))
    async with here.database.write() as connection:
        await api_keys.change(connection, "key_0001", {"rate_limit": 3}, NOW)
    await there.heed()
    assert principal(await there.keyring.resolve(new_key(1))).key.rate_limit == 3


async def test_a_disabled_account_is_heard_of_by_each_of_its_keys(here: Replica, there: Replica) -> None:
    customer = await here.add_customer(1)
    await here.add_key(1)
    await here.add_key(2, customer_pk=customer.id, customer_id=customer.customer_id)
    for number in (1, 2):
        await there.keyring.resolve(new_key(number))
    async with here.database.write() as connection:
        await connection.execute(update(accounts_table).values(disabled=True))
        await changes.announce(connection, changes.ACCOUNT, ACCOUNT.id, NOW)
    await there.heed()
    for number in (1, 2):
        assert principal(await there.keyring.resolve(new_key(number))).account.disabled


async def test_a_changed_account_leaves_the_keys_of_others_in_memory(here: Replica, there: Replica) -> None:
    other = replace(ACCOUNT, id="acc_2")
    async with here.database.write() as connection:
        await accounts.create(connection, other)
    customer = await here.add_customer(1)
    await here.add_key(1, customer_pk=customer.id, customer_id=customer.customer_id)
    await here.add_key(2, account_id=other.id)
    await there.heed()
    for number in (1, 2):
        await there.keyring.resolve(new_key(number))
    async with here.database.write() as connection:
        await accounts.change(connection, other.id, {"disabled": True}, NOW)
    await there.heed()
    assert principal(there.keyring.cached(new_key(1))).key.id == "key_0001"
    assert there.keyring.cached(new_key(2)) is None
    assert principal(await there.keyring.resolve(new_key(2))).account.disabled
    assert there.keyring._owned.of(ACCOUNT.id) == ("key_0001",)


async def test_after_a_gap_nothing_in_memory_is_believed(here: Replica, there: Replica) -> None:
    record = await here.add_key(1)
    await there.keyring.resolve(new_key(1))
    await here.revoke_key(record.id)
    async with here.database.write() as connection:
        await changes.prune(connection, NOW + 2 * changes.RETENTION)
    await there.heed()
    assert there.keyring.cached(new_key(1)) is None


# Silence.


async def test_a_silent_store_is_trusted_up_to_max_stale_and_not_longer(here: Replica, clock: Clock) -> None:
    record = await here.add_key(1)
    customer = await here.add_customer(1)
    access, refresh = here.mint(record, customer), here.mint(record, customer, use="refresh")
    claims = await here.keyring.refresh_claims(refresh)
    await here.keyring.resolve(new_key(1))
    await here.keyring.resolve(access)
    await here.keyring.customer_of(ACCOUNT.id, customer.customer_id)
    asked: list[Callable[[], Awaitable[object]]] = [
        lambda: here.keyring.resolve(new_key(1)),
        lambda: here.keyring.resolve(access),
        lambda: here.keyring.bearer(claims),
        lambda: here.keyring.key(record.id),
        lambda: here.keyring.customer(customer.id),
        lambda: here.keyring.customer_of(ACCOUNT.id, customer.customer_id),
        lambda: here.keyring.refresh_claims(refresh),
    ]
    here.news.is_down = True
    clock.pass_time(MAX_STALE)
    for ask in asked:
        await ask()
    clock.pass_time(0.001)
    for ask in asked:
        with pytest.raises(InnoError) as refused:
            await ask()
        assert refused.value.refusal.code == "service_unavailable"
    assert here.keyring.cached(new_key(1)) is None


async def test_who_comes_after_the_server_was_held_up_is_judged_by_what_is_new(
    here: Replica, there: Replica, clock: Clock
) -> None:
    record, _ = await here.add_key(1), await here.add_key(2)
    await there.heed()
    for number in (1, 2):
        await there.keyring.resolve(new_key(number))
    await here.revoke_key(record.id)
    clock.pass_time(CURRENT_SECONDS + 0.1)
    assert there.keyring.cached(new_key(2)) is None
    assert principal(await there.keyring.resolve(new_key(1))).key.revoked_at is not None
    assert principal(there.keyring.cached(new_key(2))).key.id == "key_0002"


async def test_memory_is_trusted_again_once_the_store_has_spoken(here: Replica, clock: Clock) -> None:
    await here.add_key(1)
    await here.keyring.resolve(new_key(1))
    clock.pass_time(MAX_STALE + 1)
    await here.heed()
    assert principal(here.keyring.cached(new_key(1))).key.id == "key_0001"
    assert here.store.reads == 1


async def test_what_is_in_memory_outlives_an_outage_shorter_than_max_stale(
    here: Replica, clock: Clock
) -> None:
    await here.add_key(1)
    await here.keyring.resolve(new_key(1))
    here.store.is_down = here.news.is_down = True
    clock.pass_time(MAX_STALE - 1)
    assert principal(await here.keyring.resolve(new_key(1))).key.id == "key_0001"
    with pytest.raises(InnoError) as refused:
        await here.keyring.resolve(new_key(2))
    assert refused.value.refusal.code == "service_unavailable"


# Customers.


async def test_a_customer_is_found_by_its_own_id_and_by_ours(here: Replica) -> None:
    record = await here.add_customer(1)
    found = await here.keyring.customer_of(ACCOUNT.id, record.customer_id)
    assert found is not None
    assert (found.id, found.customer_id, found.disabled) == (record.id, record.customer_id, False)
    assert await here.keyring.customer_of(ACCOUNT.id, record.customer_id) == found
    assert await here.keyring.customer(record.id) == found
    assert here.store.reads == 1
    assert await here.keyring.customer_of(ACCOUNT.id, "nobody") is None
    assert await here.keyring.customer_of("acc_2", record.customer_id) is None
    assert await here.keyring.customer("cus_nobody") is None


async def test_a_customer_that_was_made_anew_under_its_id_is_another_one(here: Replica) -> None:
    record = await here.add_customer(1)
    await here.keyring.customer_of(ACCOUNT.id, record.customer_id)
    async with here.database.write() as connection:
        await customers.remove(connection, record.id, NOW)
    await here.heed()
    assert await here.keyring.customer_of(ACCOUNT.id, record.customer_id) is None
    await here.add_customer(1, id="cus_again")
    found = await here.keyring.customer_of(ACCOUNT.id, record.customer_id)
    assert found is not None
    assert found.id == "cus_again"


async def test_a_customer_bound_key_stands_for_its_customer(here: Replica) -> None:
    customer = await here.add_customer(1)
    await here.add_key(1, customer_pk=customer.id, customer_id=customer.customer_id)
    found = principal(await here.keyring.resolve(new_key(1)))
    assert found.customer is not None
    assert (found.customer.id, found.customer.customer_id) == (customer.id, customer.customer_id)


async def test_a_customer_bound_key_hears_of_its_customer(here: Replica, there: Replica) -> None:
    customer = await here.add_customer(1)
    await here.add_key(1, customer_pk=customer.id, customer_id=customer.customer_id)
    await here.add_key(2, customer_pk=customer.id, customer_id=customer.customer_id)
    for number in (1, 2):
        await there.keyring.resolve(new_key(number))
    async with here.database.write() as connection:
        await customers.change(connection, customer.id, {"disabled": True}, NOW)
    await there.heed()
    for number in (1, 2):
        found = principal(await there.keyring.resolve(new_key(number)))
        assert found.customer is not None
        assert found.customer.disabled


async def test_the_key_of_a_removed_customer_is_revoked_and_its_customer_dead(
    here: Replica, there: Replica
) -> None:
    customer = await here.add_customer(1)
    await here.add_key(1, customer_pk=customer.id, customer_id=customer.customer_id)
    await there.keyring.resolve(new_key(1))
    async with here.database.write() as connection:
        await customers.remove(connection, customer.id, NOW)
    await there.heed()
    found = principal(await there.keyring.resolve(new_key(1)))
    assert found.key.revoked_at == NOW
    assert found.customer is not None
    assert found.customer.disabled


# Tokens.


async def test_a_token_stands_for_its_key_and_says_its_claims(here: Replica) -> None:
    record = await here.add_key(1)
    token = here.mint(record)
    assert here.keyring.cached(token) is None
    found = principal(await here.keyring.resolve(token))
    assert (found.key.id, found.customer, found.token) == (record.id, None, here.claims(record))
    assert here.keyring.cached(token) == found
    assert here.store.reads == 1


async def test_a_customers_token_stands_for_that_customer(here: Replica) -> None:
    record = await here.add_key(1)
    customer = await here.add_customer(1)
    token = here.mint(record, customer)
    found = principal(await here.keyring.resolve(token))
    assert found.customer is not None
    assert found.customer.id == customer.id
    assert here.keyring.cached(token) == found


async def test_a_token_dies_with_its_key(here: Replica, there: Replica) -> None:
    record = await here.add_key(1)
    token = here.mint(record)
    await there.keyring.resolve(token)
    await here.revoke_key(record.id)
    await there.heed()
    assert principal(await there.keyring.resolve(token)).key.revoked_at == NOW


async def test_a_token_dies_with_its_customer(here: Replica, there: Replica) -> None:
    record = await here.add_key(1)
    customer = await here.add_customer(1)
    token = here.mint(record, customer)
    assert principal(await there.keyring.resolve(token)).customer is not None
    async with here.database.write() as connection:
        await customers.remove(connection, customer.id, NOW)
    await there.heed()
    assert refusal_code(await there.keyring.resolve(token)) == "invalid_api_key"
    await here.add_customer(1, id="cus_again")
    await there.heed()
    assert refusal_code(await there.keyring.resolve(token)) == "invalid_api_key"


async def test_a_token_of_a_key_that_is_not_there_stands_for_nobody(here: Replica) -> None:
    record = await here.add_key(1)
    token = mint(
        msgspec.structs.replace(here.claims(record), client_id="key_nobody"),
        here.keyring.signing.current,
    )
    assert refusal_code(await here.keyring.resolve(token)) == "invalid_api_key"


@pytest.mark.parametrize("subject", ["jti_1", "fam_1"])
async def test_a_revoked_token_is_refused_by_every_replica(
    here: Replica, there: Replica, subject: str
) -> None:
    record = await here.add_key(1)
    token = here.mint(record)
    await there.keyring.resolve(token)
    await here.revoke_token(subject)
    await there.heed()
    assert refusal_code(there.keyring.cached(token)) == "invalid_api_key"
    assert refusal_code(await there.keyring.resolve(token)) == "invalid_api_key"


async def test_a_revocation_survives_a_restart(here: Replica, clock: Clock) -> None:
    record = await here.add_key(1)
    token = here.mint(record)
    await here.revoke_token("jti_1")
    restarted = await open_replica(here.database, clock)
    assert refusal_code(await restarted.keyring.resolve(token)) == "invalid_api_key"


async def test_a_refresh_token_of_a_revoked_family_is_refused(here: Replica) -> None:
    record = await here.add_key(1)
    token = here.mint(record, use="refresh")
    assert await here.keyring.refresh_claims(token) == here.claims(record, use="refresh")
    await here.revoke_token("fam_1")
    await here.heed()
    with pytest.raises(InnoError) as refused:
        await here.keyring.refresh_claims(token)
    assert refused.value.refusal.code == "invalid_api_key"
    assert here.keyring.any_claims(token) == here.claims(record, use="refresh")


async def test_a_token_is_taken_only_for_its_use(here: Replica) -> None:
    record = await here.add_key(1)
    access, refresh = here.mint(record), here.mint(record, use="refresh")
    await here.keyring.refresh_claims(refresh)
    await here.keyring.resolve(access)
    assert refusal_code(await here.keyring.resolve(refresh)) == "invalid_api_key"
    with pytest.raises(InnoError):
        await here.keyring.refresh_claims(access)
    assert here.keyring.any_claims(access) == here.claims(record)
    assert here.keyring.any_claims("not.a.token") is None
    assert here.keyring.any_claims(new_key(1)) is None


async def test_after_a_rotation_of_signing_keys_older_tokens_still_count(
    here: Replica, there: Replica
) -> None:
    record = await here.add_key(1)
    before = here.mint(record)
    await there.keyring.resolve(before)
    await rotate(here, "sig_2")
    await there.heed()
    after = here.mint(record)
    assert here.keyring.signing.current.kid == there.keyring.signing.current.kid == "sig_2"
    for token in (before, after):
        assert principal(await there.keyring.resolve(token)).key.id == record.id


async def test_a_token_that_was_verified_is_verified_anew_when_the_signing_keys_change(
    here: Replica, there: Replica
) -> None:
    record = await here.add_key(1)
    token = here.mint(record)
    await there.keyring.resolve(token)
    await rotate(here, "sig_2")
    async with here.database.write() as connection:
        await connection.execute(delete(signing_keys_table).where(signing_keys_table.c.kid == "sig_1"))
        await changes.announce(connection, changes.SIGNING_KEY, "sig_1", NOW)
    await there.heed()
    assert refusal_code(await there.keyring.resolve(token)) == "invalid_api_key"


async def test_without_a_signing_key_tokens_are_unavailable_and_keys_are_not(
    database: Database, clock: Clock
) -> None:
    replica = await open_replica(database, clock)
    await replica.add_key(1)
    with pytest.raises(InnoError) as refused:
        replica.mint(await replica.add_key(2))
    assert refused.value.refusal.code == "service_unavailable"
    assert principal(await replica.keyring.resolve(new_key(1))).key.id == "key_0001"


# Bounds.


async def test_memory_holds_no_more_than_its_bounds(here: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    for bound in ("MAX_KEYS", "MAX_CUSTOMERS", "MAX_TOKENS"):
        monkeypatch.setattr(keyring_module, bound, 3)
    for number in range(8):
        customer = await here.add_customer(number)
        record = await here.add_key(number, customer_pk=customer.id, customer_id=customer.customer_id)
        await here.keyring.resolve(new_key(number))
        await here.keyring.customer_of(ACCOUNT.id, customer.customer_id)
        await here.keyring.resolve(here.mint(record, customer))
    keyring = here.keyring
    memories = (
        keyring._key_ids,
        keyring._principals,
        keyring._bindings,
        keyring._owned.of(ACCOUNT.id),
        keyring._customers,
        keyring._customer_pks,
        keyring._claims,
    )
    assert [len(memory) for memory in memories] == [3] * 7
    assert keyring.cached(new_key(0)) is None
    assert principal(keyring.cached(new_key(7))).key.id == "key_0007"
    assert principal(await keyring.resolve(new_key(0))).key.id == "key_0000"


async def test_a_rotated_key_leaves_nothing_behind_with_its_customer(here: Replica) -> None:
    customer = await here.add_customer(1)
    for number in range(3):
        record = await here.add_key(number, customer_pk=customer.id, customer_id=customer.customer_id)
        await here.keyring.resolve(new_key(number))
        await here.revoke_key(record.id)
        await here.heed()
    assert len(here.keyring._bindings) == len(here.keyring._owned) == 0


def weight(thing: object, seen: set[int] | None = None) -> int:
    """Bytes of an object with all that it holds, each counted once."""
    seen = set() if seen is None else seen
    if thing is None or id(thing) in seen:
        return 0
    seen.add(id(thing))
    held: Iterable[object] = ()
    if isinstance(thing, dict):
        held = (*thing.keys(), *thing.values())
    elif isinstance(thing, tuple | list | set | frozenset):
        held = thing
    elif isinstance(thing, msgspec.Struct):
        held = msgspec.structs.astuple(thing)
    elif isinstance(thing, Bindings):
        held = (thing._bound,)
    elif isinstance(thing, MemoryLimiter):
        held = (thing._states,)
    return sys.getsizeof(thing) + sum(weight(each, seen) for each in held)


async def test_a_key_in_memory_takes_less_than_a_kilobyte(here: Replica) -> None:
    async def ask(numbers: range) -> None:
        for number in numbers:
            key = principal(await here.keyring.resolve(new_key(number))).key
            limiter.take_now(key.id, key.rate_limit)
            here.keyring.note_use(key.id, here.clock.now + number)

    limiter, count = MemoryLimiter(time.monotonic_ns), 120
    async with here.database.write() as connection:
        for number in range(2 * count):
            customer = await add_customer(connection, number)
            bound: dict[str, object] = {"customer_pk": customer.id, "customer_id": customer.customer_id}
            made: dict[str, Any] = {"id": fresh_id("key"), "expires_at": NOW + 86_400 + number, **bound}
            await add_key(connection, number, models=("one", "two"), rate_limit=1000 + number, **made)
    await here.heed()
    memories = [value for value in vars(here.keyring).values() if isinstance(value, dict | Bindings)]
    await ask(range(count))
    before = weight((memories, limiter))
    await ask(range(count, 2 * count))
    assert 500 < (weight((memories, limiter)) - before) / count < 1024


async def test_keys_share_what_is_known_of_their_account(here: Replica) -> None:
    for number in (1, 2):
        await here.add_key(number)
    one, other = [principal(await here.keyring.resolve(new_key(number))) for number in (1, 2)]
    assert one.account is other.account
    async with here.database.write() as connection:
        await connection.execute(update(accounts_table).values(disabled=True))
        await changes.announce(connection, changes.ACCOUNT, ACCOUNT.id, NOW)
    await here.heed()
    assert [principal(await here.keyring.resolve(new_key(number))).account.disabled for number in (1, 2)] == [
        True
    ] * 2


async def test_revocations_are_forgotten_once_nothing_they_concern_can_live(
    here: Replica, clock: Clock
) -> None:
    await here.revoke_token("old")
    await here.heed()
    clock.pass_time(REFRESH_LIFETIME)
    await here.revoke_token("new")
    await here.heed()
    assert list(here.keyring._revoked) == ["new"]


# When keys were last used.


async def test_when_a_key_was_last_used_is_written_at_a_flush(here: Replica) -> None:
    record = await here.add_key(1)
    here.keyring.note_use(record.id, NOW + 1)
    here.keyring.note_use(record.id, NOW + 2)
    await here.keyring.flush_use()
    async with here.database.read() as connection:
        stored = await api_keys.get(connection, record.id)
    assert stored is not None
    assert stored.last_used_at == NOW + 2


async def test_many_uses_are_written_in_transactions_that_hold_nobody_up(
    here: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring_module, "USE_BATCH", 2)
    records = [await here.add_key(number) for number in range(5)]
    for record in records:
        here.keyring.note_use(record.id, NOW + 1)
    written: list[int] = []
    note_use = api_keys.note_use

    async def noted(connection: AsyncConnection, used: dict[str, float]) -> None:
        written.append(len(used))
        if len(written) == 2:
            here.keyring.note_use(records[0].id, NOW + 2)
            raise InnoError("service_unavailable")
        await note_use(connection, used)

    monkeypatch.setattr(api_keys, "note_use", noted)
    with pytest.raises(InnoError):
        await here.keyring.flush_use()
    await here.keyring.flush_use()
    assert written == [2, 2, 2, 1]
    async with here.database.read() as connection:
        stored = [await api_keys.get(connection, record.id) for record in records]
    assert [record and record.last_used_at for record in stored] == [NOW + 2, *[NOW + 1] * 4]


async def test_a_flush_that_failed_is_made_up_for_by_the_next(here: Replica) -> None:
    first, second = await here.add_key(1), await here.add_key(2)
    here.keyring.note_use(first.id, NOW + 1)
    here.keyring.note_use(second.id, NOW + 1)
    here.store.is_down = True
    with pytest.raises(InnoError):
        await here.keyring.flush_use()
    here.keyring.note_use(second.id, NOW + 2)
    here.store.is_down = False
    await here.keyring.flush_use()
    async with here.database.read() as connection:
        used = [await api_keys.get(connection, record.id) for record in (first, second)]
    assert [record and record.last_used_at for record in used] == [NOW + 1, NOW + 2]


@pytest.mark.parametrize(
    "error", [InnoError("service_unavailable"), ConfigError("another secret"), KeyError()]
)
async def test_memory_waits_for_a_committed_change_that_the_store_does_not_tell_of(
    here: Replica, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def broken(_connection: AsyncConnection) -> int:
        raise error

    record = await here.add_key(1)
    await here.keyring.resolve(new_key(1))
    await here.revoke_key(record.id)
    with monkeypatch.context() as outage:
        outage.setattr(changes, "head", broken)
        await here.feed.heed(here.keyring)
    assert here.keyring.cached(new_key(1)) is None
    with pytest.raises(InnoError) as raised:
        await here.keyring.resolve(new_key(1))
    assert raised.value.refusal.code == "service_unavailable"
    await here.heed()
    assert principal(await here.keyring.resolve(new_key(1))).key.revoked_at == NOW


async def member_token(here: Replica) -> str:
    """A token of a member's session, which begins now and may last for an hour."""
    ana = MemberRecord("mem_1", ACCOUNT.id, "owner", NOW, "ana@example.com", "Ana", NOW + 60)
    async with here.database.write() as connection:
        await members.invite(connection, ana, "her invite")
        assert await members.join(connection, ana.id, {}, NOW)
        await sessions.begin(
            connection,
            b"digest",
            session_id="ses_1",
            member_id=ana.id,
            method="password",
            address=None,
            user_agent=None,
            now=NOW,
            proved_at=NOW,
            expires_at=NOW + 3600,
        )
    record = await here.add_key(1)
    claims = structs.replace(here.claims(record), sub=ana.id, client_id=ana.id, sid="ses_1")
    return mint(claims, here.keyring.signing.current)


async def test_a_token_of_a_session_lasts_as_long_as_that_is_used(here: Replica) -> None:
    token = await member_token(here)
    found = principal(await here.keyring.resolve(token))
    assert found.member is not None
    assert found.key.expires_at == NOW + SESSION_IDLE
    async with here.database.write() as connection:
        await sessions.note(connection, "ses_1", {"seen_at": NOW + 250})
    here.clock.pass_time(SESSION_IDLE)
    await here.heed()
    assert principal(await here.keyring.resolve(token)).key.expires_at == NOW + 250 + SESSION_IDLE
    here.clock.pass_time(250)
    await here.heed()
    assert refusal_code(await here.keyring.resolve(token)) == "invalid_api_key"


async def test_a_token_of_a_session_that_is_revoked_while_that_is_read_is_refused(here: Replica) -> None:
    token = await member_token(here)

    async def revoke() -> None:
        await here.revoke_token("jti_1")
        await here.heed()

    here.store.after_read = revoke
    assert refusal_code(await here.keyring.resolve(token)) == "invalid_api_key"


async def test_keyrings_of_one_store_do_not_share_their_memory(signing: Database, clock: Clock) -> None:
    keyrings = [
        Keyring(
            signing,
            SECRETS,
            ChangeFeed(signing, lambda: clock.monotonic, MAX_STALE),
            tiers=DEFAULT_TIERS,
            tokens=TokenSettings(),
            session_idle=SESSION_IDLE,
            clock=lambda: clock.now,
        )
        for _ in range(2)
    ]
    assert keyrings[0].digest("sk-inno-x") != keyrings[1].digest("sk-inno-x")
