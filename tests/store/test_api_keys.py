from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.exc import IntegrityError

from innoai.ids import RANDOM_BYTES, new_id
from innoai.store import accounts, api_keys, changes
from innoai.store.accounts import AccountRecord
from innoai.store.secrets import Secrets
from tests.support.stores import ACCOUNT, NOW, SECRETS, add_customer, add_key, key_record, new_key

if TYPE_CHECKING:
    from innoai.store.api_keys import KeyRecord
    from innoai.store.changes import Change
    from innoai.store.database import Database

OTHER = AccountRecord("acc_2", "Another account", "free", disabled=False, created_at=NOW)


async def news(database: Database) -> list[Change]:
    async with database.read() as connection:
        return await changes.since(connection, 0) or []


async def listed(database: Database, **asked: object) -> list[str]:
    wanted: dict[str, object] = {
        "limit": 100,
        "before": None,
        "status": None,
        "customer_id": None,
        "now": NOW,
    } | asked
    async with database.read() as connection:
        page = await api_keys.page(connection, ACCOUNT.id, **wanted)  # type: ignore[arg-type]
    return [record.id for record in page]


async def stored(database: Database, key_id: str) -> KeyRecord | None:
    async with database.read() as connection:
        return await api_keys.get(connection, key_id)


async def test_a_key_comes_back_as_it_was_made(database: Database) -> None:
    async with database.write() as connection:
        made = await add_key(
            connection,
            1,
            customer_pk="cus_1",
            customer_id="customer-1",
            name="Büro ☎",
            allowed_ips=("10.0.0.0/8", "2001:db8::/32"),
            rate_limit=7,
            models=("a", "b"),
            expires_at=NOW + 0.125,
            rotated_from="key_0",
        )
    assert await stored(database, made.id) == made


async def test_no_models_and_an_empty_list_of_models_are_not_the_same(database: Database) -> None:
    async with database.write() as connection:
        anything = await add_key(connection, 1, models=None)
        nothing = await add_key(connection, 2, models=())
    assert (await stored(database, anything.id)) == anything
    assert (await stored(database, nothing.id)) == nothing


async def test_a_key_is_found_by_its_secrets_digest_and_by_no_other(database: Database) -> None:
    async with database.write() as connection:
        made = await add_key(connection, 1)
    async with database.read() as connection:
        assert await api_keys.find_by_digest(connection, SECRETS.digests(new_key(1))) == made
        assert await api_keys.find_by_digest(connection, SECRETS.digests(new_key(2))) is None


async def test_a_key_made_under_the_previous_pepper_is_found(database: Database) -> None:
    async with database.write() as connection:
        made = await add_key(connection, 1)
    changed = Secrets(
        b"a new secret for this installation, in a test", b"the secret of this installation, in a test"
    )
    async with database.read() as connection:
        assert await api_keys.find_by_digest(connection, changed.digests(new_key(1))) == made


async def test_no_two_keys_have_one_secret(database: Database) -> None:
    async with database.write() as connection:
        await add_key(connection, 1)
    with pytest.raises(IntegrityError):
        async with database.write() as connection:
            await add_key(connection, 1, id="key_twin")


async def test_an_account_sees_only_its_own_key(database: Database) -> None:
    async with database.write() as connection:
        made = await add_key(connection, 1)
    async with database.read() as connection:
        assert await api_keys.get(connection, made.id, ACCOUNT.id) == made
        assert await api_keys.get(connection, made.id, OTHER.id) is None
        assert await api_keys.get(connection, "key_nobody") is None


async def test_pages_go_from_new_to_old_without_missing_or_repeating_one(database: Database) -> None:
    async with database.write() as connection:
        await accounts.create(connection, OTHER)
        for number in range(7):
            await add_key(connection, number)
        await add_key(connection, 7, account_id=OTHER.id)
    seen: list[str] = []
    while page := await listed(database, limit=3, before=seen[-1] if seen else None):
        assert len(page) <= 3
        seen += page
    assert seen == [key_record(number).id for number in reversed(range(7))]


async def test_keys_are_paged_by_age_in_whatever_order_a_language_has_letters(database: Database) -> None:
    ids = [new_id("key", made_at, bytes(RANDOM_BYTES)) for made_at in range(0, 30_000_000_000, 1_000_000_000)]
    assert sorted(ids, key=str.lower) != ids
    async with database.write() as connection:
        for number, key_id in enumerate(ids):
            await add_key(connection, number, id=key_id)
    seen: list[str] = []
    while page := await listed(database, limit=7, before=seen[-1] if seen else None):
        seen += page
    assert seen == ids[::-1]


async def test_a_list_by_status_holds_those_and_only_those(database: Database) -> None:
    async with database.write() as connection:
        await add_key(connection, 1)
        await add_key(connection, 2, expires_at=NOW + 1)
        await add_key(connection, 3, expires_at=NOW)
        await add_key(connection, 4, revoked_at=NOW)
        await add_key(connection, 5, revoked_at=NOW, expires_at=NOW - 1)
    assert await listed(database, status="active") == ["key_0002", "key_0001"]
    assert await listed(database, status="expired") == ["key_0003"]
    assert await listed(database, status="revoked") == ["key_0005", "key_0004"]
    async with database.read() as connection:
        assert await api_keys.count_live(connection, ACCOUNT.id, NOW) == 2


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, "active"),
        ({"expires_at": NOW + 1}, "active"),
        ({"expires_at": NOW}, "expired"),
        ({"revoked_at": NOW - 5}, "revoked"),
        ({"revoked_at": NOW - 5, "expires_at": NOW - 9}, "revoked"),
    ],
)
def test_a_record_says_its_status(changed: dict[str, float], status: str) -> None:
    assert key_record(1, **changed).status(NOW) == status


async def test_a_list_can_be_of_one_customers_keys(database: Database) -> None:
    async with database.write() as connection:
        await add_key(connection, 1, customer_id="customer-1", customer_pk="cus_0001")
        await add_key(connection, 2)
    assert await listed(database, customer_id="customer-1") == ["key_0001"]


async def test_a_change_is_kept_and_told(database: Database) -> None:
    async with database.write() as connection:
        made = await add_key(connection, 1)
        await api_keys.change(connection, made.id, {"name": "Renamed", "scopes": ["billing:read"]}, NOW)
    changed = await stored(database, made.id)
    assert changed is not None
    assert (changed.name, changed.scopes) == ("Renamed", ("billing:read",))
    assert [(change.kind, change.subject) for change in await news(database)] == [("key", made.id)] * 2


async def test_revoking_twice_keeps_the_first_instant(database: Database) -> None:
    async with database.write() as connection:
        made = await add_key(connection, 1)
        await api_keys.revoke(connection, made.id, NOW + 1)
        await api_keys.revoke(connection, made.id, NOW + 2)
    revoked = await stored(database, made.id)
    assert revoked is not None
    assert revoked.revoked_at == NOW + 1


async def test_a_revocation_is_told(database: Database) -> None:
    async with database.write() as connection:
        made = await add_key(connection, 1)
    before = len(await news(database))
    async with database.write() as connection:
        await api_keys.revoke(connection, made.id, NOW)
    assert [(change.kind, change.subject) for change in (await news(database))[before:]] == [("key", made.id)]


async def test_a_customers_live_keys_are_revoked_together_and_each_is_told(database: Database) -> None:
    async with database.write() as connection:
        customer = await add_customer(connection, 1)
        bound: dict[str, Any] = {"customer_pk": customer.id, "customer_id": customer.customer_id}
        await add_key(connection, 1, **bound)
        await add_key(connection, 2, **bound)
        await add_key(connection, 3, **bound, revoked_at=NOW - 10)
        await add_key(connection, 4)
    before = len(await news(database))
    async with database.write() as connection:
        await api_keys.revoke_of_customer(connection, customer.id, NOW)
    assert {change.subject for change in (await news(database))[before:]} == {"key_0001", "key_0002"}
    revoked = [await stored(database, f"key_{number:04}") for number in (1, 2, 3, 4)]
    assert [record and record.revoked_at for record in revoked] == [NOW, NOW, NOW - 10, None]


async def test_a_customers_keys_are_locked_in_the_order_in_which_their_use_is_noted(
    database: Database,
) -> None:
    ids = ["key_B", "key_a", "key_A", "key_b"]
    async with database.write() as connection:
        customer = await add_customer(connection, 1)
        for number, key_id in enumerate(ids):
            await add_key(connection, number, id=key_id, customer_pk=customer.id)
        revoked = await api_keys.revoke_of_customer(connection, customer.id, NOW)
    assert [key.id for key in revoked] == sorted(ids)


async def test_noting_use_tells_nobody(database: Database) -> None:
    async with database.write() as connection:
        await add_key(connection, 1)
        await add_key(connection, 2)
    before = await news(database)
    async with database.write() as connection:
        await api_keys.note_use(connection, {"key_0002": NOW + 2, "key_0001": NOW + 1, "key_gone": NOW})
    used = [await stored(database, key_id) for key_id in ("key_0001", "key_0002")]
    assert [record and record.last_used_at for record in used] == [NOW + 1, NOW + 2]
    assert await news(database) == before
