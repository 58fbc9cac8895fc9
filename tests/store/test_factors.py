"""What members sign in with beside a password: authenticators and recovery codes, passkeys, identities."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from innoai.config import ConfigError
from innoai.store import authenticators, identities, members, passkeys
from innoai.store.members import MemberRecord
from innoai.store.passkeys import PasskeyRecord
from innoai.store.secrets import Secrets
from innoai.store.tables import authenticators as authenticator_table
from tests.support.stores import ACCOUNT, NOW, SECRETS

if TYPE_CHECKING:
    from innoai.store.database import Database

ANA = MemberRecord("mem_1", ACCOUNT.id, "owner", NOW, "ana@example.com", "Ana", NOW + 60)
BEN = MemberRecord("mem_2", ACCOUNT.id, "viewer", NOW, "ben@example.com", "Ben", NOW + 60)
KEY = PasskeyRecord("pky_1", ANA.id, b"credential", b"public key", 0, "Laptop", ("internal", "hybrid"), NOW)
ISSUER = "https://login.example.com"


@pytest.fixture
async def store(database: Database) -> Database:
    """A store with two members."""
    async with database.write() as connection:
        for member in (ANA, BEN):
            await members.invite(connection, member, f"the invite of {member.id}")
    return database


async def test_an_authenticator_takes_a_step_once_and_none_before_it(store: Database) -> None:
    async with store.write() as connection:
        assert await authenticators.since(connection, ANA.id) is None
        assert await authenticators.secret_of(connection, SECRETS, ANA.id) is None
        await authenticators.put(connection, SECRETS, ANA.id, b"secret", 100, NOW)
        assert await authenticators.since(connection, ANA.id) == NOW
        assert await authenticators.secret_of(connection, SECRETS, ANA.id) == b"secret"
        assert not await authenticators.take_step(connection, ANA.id, 100)
        assert await authenticators.take_step(connection, ANA.id, 101)
        assert not await authenticators.take_step(connection, ANA.id, 99)
        assert not await authenticators.take_step(connection, BEN.id, 200)


async def test_of_several_that_take_a_code_at_once_one_does(store: Database) -> None:
    async with store.write() as connection:
        await authenticators.put(connection, SECRETS, ANA.id, b"secret", 100, NOW)
        await authenticators.put_recovery_codes(connection, ANA.id, [b"code"])

    async def step() -> bool:
        async with store.write() as connection:
            return await authenticators.take_step(connection, ANA.id, 101)

    async def code() -> bool:
        async with store.write() as connection:
            return await authenticators.take_recovery_code(connection, ANA.id, b"code", NOW)

    for take in (step, code):
        assert sorted(await asyncio.gather(*(take() for _ in range(4)))) == [False, False, False, True]


async def test_recovery_codes_count_once_and_for_their_member(store: Database) -> None:
    async with store.write() as connection:
        await authenticators.put_recovery_codes(connection, ANA.id, [b"one", b"two"])
        assert not await authenticators.take_recovery_code(connection, BEN.id, b"one", NOW)
        assert await authenticators.take_recovery_code(connection, ANA.id, b"one", NOW)
        assert not await authenticators.take_recovery_code(connection, ANA.id, b"one", NOW)
        assert await authenticators.recovery_codes_left(connection, ANA.id) == 1
        await authenticators.put_recovery_codes(connection, ANA.id, [b"three"])
        assert not await authenticators.take_recovery_code(connection, ANA.id, b"two", NOW)
        await authenticators.remove(connection, ANA.id)
        assert await authenticators.recovery_codes_left(connection, ANA.id) == 0


async def test_an_authenticator_is_sealed_anew_under_a_new_secret(store: Database) -> None:
    former = Secrets(b"the former secret of this installation")
    both = Secrets(b"the new secret of this installation...", b"the former secret of this installation")
    new = Secrets(b"the new secret of this installation...")
    async with store.write() as connection:
        await authenticators.put(connection, former, ANA.id, b"secret", 1, NOW)
        await authenticators.put(connection, SECRETS, BEN.id, b"lost", 1, NOW)
        await authenticators.reseal(connection, both)
        assert await authenticators.secret_of(connection, new, ANA.id) == b"secret"
        with pytest.raises(ConfigError):
            await authenticators.secret_of(connection, both, BEN.id)
        kept = select(authenticator_table.c.sealed_secret)
        assert not any(b"secret" in sealed for sealed in (await connection.execute(kept)).scalars())


async def test_a_passkey_is_kept_with_how_often_it_signed(store: Database) -> None:
    async with store.write() as connection:
        await passkeys.add(connection, KEY)
        assert await passkeys.find(connection, b"credential") == KEY
        assert await passkeys.find(connection, b"another") is None
        await passkeys.note_use(connection, KEY.id, 7, NOW + 1)
        assert await passkeys.of_member(connection, ANA.id) == [
            replace(KEY, sign_count=7, last_used_at=NOW + 1)
        ]
        assert not await passkeys.remove(connection, BEN.id, KEY.id)
        assert await passkeys.remove(connection, ANA.id, KEY.id)
        assert await passkeys.of_member(connection, ANA.id) == []


async def test_a_passkey_belongs_to_one_member(store: Database) -> None:
    async with store.write() as connection:
        await passkeys.add(connection, KEY)
    with pytest.raises(IntegrityError):
        async with store.write() as connection:
            await passkeys.add(connection, replace(KEY, id="pky_2", member_id=BEN.id))


async def test_a_subject_is_one_member(store: Database) -> None:
    async with store.write() as connection:
        await identities.add(connection, ISSUER, "ana-over-there", ANA.id, NOW)
        assert await identities.find(connection, ISSUER, "ana-over-there") == ANA.id
        assert await identities.find(connection, "https://evil.example", "ana-over-there") is None
        assert await identities.subjects_of(connection, ANA.id, ISSUER) == ["ana-over-there"]
        assert await identities.subjects_of(connection, BEN.id, ISSUER) == []
    with pytest.raises(IntegrityError):
        async with store.write() as connection:
            await identities.add(connection, ISSUER, "ana-over-there", BEN.id, NOW)


async def test_with_a_member_goes_all_that_they_signed_in_with(store: Database) -> None:
    async with store.write() as connection:
        await authenticators.put(connection, SECRETS, ANA.id, b"secret", 1, NOW)
        await authenticators.put_recovery_codes(connection, ANA.id, [b"one"])
        await passkeys.add(connection, KEY)
        await identities.add(connection, ISSUER, "ana-over-there", ANA.id, NOW)
        await members.remove(connection, ANA.id)
        assert await authenticators.since(connection, ANA.id) is None
        assert await passkeys.find(connection, b"credential") is None
        assert await identities.find(connection, ISSUER, "ana-over-there") is None
