from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from innoai.store import accounts, members
from innoai.store.accounts import AccountRecord
from innoai.store.members import INVITE_LIFETIME, MemberRecord
from innoai.store.tables import members as members_table
from tests.support.stores import ACCOUNT, NOW

if TYPE_CHECKING:
    from innoai.store.database import Database

ANA = MemberRecord("mem_1", ACCOUNT.id, "owner", NOW, "ana@example.com", "Ana", NOW + INVITE_LIFETIME)
BEN = MemberRecord("mem_2", ACCOUNT.id, "viewer", NOW, "ben@example.com", None, NOW + INVITE_LIFETIME)


async def invite(database: Database, *invited: MemberRecord) -> None:
    async with database.write() as connection:
        for member in invited:
            await members.invite(connection, member, f"the invite of {member.id}")


async def test_an_invitation_is_kept_as_a_digest(database: Database) -> None:
    await invite(database, ANA)
    async with database.read() as connection:
        row = (await connection.execute(select(members_table))).one()
    assert row.invite_digest == hashlib.sha256(b"the invite of mem_1").digest()
    assert (row.invite_expires_at, row.password_hash) == (NOW + INVITE_LIFETIME, None)


async def test_members_are_listed_newest_first_and_a_page_at_a_time(database: Database) -> None:
    await invite(database, ANA, BEN)
    async with database.read() as connection:
        assert await members.page(connection, ACCOUNT.id, limit=1, before=None) == [BEN]
        assert await members.page(connection, ACCOUNT.id, limit=5, before=BEN.id) == [ANA]


async def test_another_accounts_member_is_not_found(database: Database) -> None:
    await invite(database, ANA)
    async with database.read() as connection:
        assert await members.get(connection, ACCOUNT.id, ANA.id) == ANA
        assert await members.get(connection, "acc_2", ANA.id) is None
        assert await members.page(connection, "acc_2", limit=5, before=None) == []


ELSEWHERE = replace(ANA, id="mem_9", account_id="acc_2")


async def invite_elsewhere(database: Database) -> None:
    """Let another account invite Ana as well."""
    async with database.write() as connection:
        await accounts.create(connection, AccountRecord("acc_2", "Other", "free", False, NOW))
    await invite(database, ELSEWHERE)


async def test_an_email_belongs_to_one_member_of_an_account(database: Database) -> None:
    await invite(database, ANA)
    await invite_elsewhere(database)
    with pytest.raises(IntegrityError):
        await invite(database, replace(ANA, id="mem_7"))
    async with database.read() as connection:
        assert await members.of_email(connection, "ana@example.com") == [ANA, ELSEWHERE]
        assert await members.of_email(connection, "nobody@example.com") == []
        assert await members.of_email(connection, None) == []


async def test_the_passwords_of_an_email_are_those_of_whoever_has_joined_with_one(database: Database) -> None:
    await invite(database, ANA)
    await invite_elsewhere(database)

    async def found(account_id: str | None = None, limit: int = 9) -> list[tuple[str, str]]:
        async with database.read() as connection:
            known = await members.with_password(connection, "ana@example.com", account_id, limit=limit)
        return [(member.id, kept) for member, kept in known]

    assert await found() == []
    async with database.write() as connection:
        await members.join(connection, ANA.id, {"password_hash": "one"}, NOW)
        await members.join(connection, ELSEWHERE.id, {}, NOW)
    assert await found() == [(ANA.id, "one")]
    async with database.write() as connection:
        await members.change(connection, ELSEWHERE.id, {"password_hash": "two"})
    assert await found() == [(ANA.id, "one"), (ELSEWHERE.id, "two")]
    assert await found(limit=1) == [(ANA.id, "one")]
    assert await found(ELSEWHERE.account_id) == [(ELSEWHERE.id, "two")]


async def test_who_has_a_password_has_joined(database: Database) -> None:
    await invite(database, ANA)
    async with database.write() as connection:
        await members.change(connection, ANA.id, {"joined_at": NOW})
        assert await members.get(connection, ACCOUNT.id, ANA.id) == replace(ANA, joined=True)


async def test_a_removed_member_is_no_owner_any_more(database: Database) -> None:
    await invite(database, ANA, BEN)
    async with database.write() as connection:
        assert await members.owners(connection, ACCOUNT.id) == [ANA]
        await members.remove(connection, ANA.id)
        assert await members.owners(connection, ACCOUNT.id) == []


async def test_an_invitation_is_found_by_its_token_until_it_is_over(database: Database) -> None:
    await invite(database, ANA)
    async with database.read() as connection:
        assert await members.invited(connection, "the invite of mem_1", NOW) == ANA
        assert await members.invited(connection, "the invite of mem_1", NOW + INVITE_LIFETIME) is None
        assert await members.invited(connection, "the invite of mem_2", NOW) is None


async def test_an_invitation_is_taken_up_once(database: Database) -> None:
    await invite(database, ANA)
    async with database.write() as connection:
        values = {"password_hash": "argon2", "name": "Ana Brightwater"}
        assert await members.join(connection, ANA.id, values, NOW + 1)
        assert not await members.join(connection, ANA.id, {"password_hash": "of a second one"}, NOW + 2)
        assert await members.invited(connection, "the invite of mem_1", NOW) is None
        joined = replace(ANA, name="Ana Brightwater", joined=True, invite_expires_at=None)
        assert await members.find(connection, ANA.id) == joined
        assert await members.password_hash(connection, ANA.id) == "argon2"
        assert await members.password_hash(connection, "mem_9") is None
