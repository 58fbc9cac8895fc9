from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest
from sqlalchemy import func, select, update

from innoai.access.tokens import MAX_LIFETIME, REFRESH_LIFETIME, Claims, SigningKeys, mint
from innoai.config import ConfigError
from innoai.errors import InnoError
from innoai.store import changes, signing_keys
from innoai.store.secrets import Secrets
from innoai.store.signing_keys import OVERLAP
from innoai.store.tables import signing_keys as table
from tests.support.stores import NOW, SECRET, SECRETS

if TYPE_CHECKING:
    from innoai.access.tokens import Algorithm
    from innoai.store.database import Database

CLAIMS = Claims(
    iss="innoai",
    aud="innoai",
    sub="key_1",
    client_id="key_1",
    scope="inference:read",
    jti="jti_1",
    iat=int(NOW),
    exp=int(NOW) + 60,
    token_use="access",
    sid="fam_1",
)


async def rotate(
    database: Database, kid: str, now: float, algorithm: Algorithm = "HS256", *, ends_former: bool = False
) -> None:
    async with database.write() as connection:
        await signing_keys.rotate(
            connection,
            SECRETS,
            kid=kid,
            algorithm=algorithm,
            secret=kid.encode().ljust(32, b"."),
            now=now,
            ends_former=ends_former,
        )


async def load(database: Database, now: float, secrets: Secrets = SECRETS) -> SigningKeys | None:
    async with database.read() as connection:
        return await signing_keys.load(connection, secrets, now)


def verified(keys: SigningKeys | None, token: str) -> bool:
    assert keys is not None
    try:
        keys.verify(token, issuer="innoai", audience="innoai", use="access", now=NOW)
    except InnoError:
        return False
    return True


async def test_a_new_store_has_no_signing_key(database: Database) -> None:
    assert await load(database, NOW) is None


@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA"])
async def test_a_key_signs_as_it_was_made_to(database: Database, algorithm: Algorithm) -> None:
    await rotate(database, "sig_1", NOW, algorithm)
    keys = await load(database, NOW)
    assert keys is not None
    assert keys.current.algorithm == algorithm
    assert verified(keys, mint(CLAIMS, keys.current))


async def test_after_a_rotation_the_new_key_signs_and_the_old_one_verifies(database: Database) -> None:
    await rotate(database, "sig_1", NOW)
    before = await load(database, NOW)
    assert before is not None
    token = mint(CLAIMS, before.current)
    await rotate(database, "sig_2", NOW + 1)
    after = await load(database, NOW + 1)
    assert after is not None
    assert after.current.kid == "sig_2"
    assert verified(after, token)


async def test_the_old_key_verifies_until_what_it_signed_has_expired_and_no_longer(
    database: Database,
) -> None:
    await rotate(database, "sig_1", NOW)
    before = await load(database, NOW)
    assert before is not None
    token = mint(msgspec.structs.replace(CLAIMS, exp=int(NOW) + REFRESH_LIFETIME), before.current)
    await rotate(database, "sig_2", NOW)
    assert OVERLAP >= REFRESH_LIFETIME + MAX_LIFETIME
    assert verified(await load(database, NOW + OVERLAP - 1), token)
    assert not verified(await load(database, NOW + OVERLAP), token)


async def test_a_second_rotation_does_not_prolong_the_first_keys_life(database: Database) -> None:
    await rotate(database, "sig_1", NOW)
    before = await load(database, NOW)
    assert before is not None
    token = mint(CLAIMS, before.current)
    await rotate(database, "sig_2", NOW)
    await rotate(database, "sig_3", NOW + 100)
    assert not verified(await load(database, NOW + OVERLAP), token)


async def test_a_rotation_is_told(database: Database) -> None:
    await rotate(database, "sig_1", NOW)
    async with database.read() as connection:
        news = await changes.since(connection, 0) or []
    assert [(change.kind, change.subject) for change in news] == [(changes.SIGNING_KEY, "sig_1")]


async def test_another_secret_cannot_load_the_keys(database: Database) -> None:
    await rotate(database, "sig_1", NOW)
    with pytest.raises(ConfigError, match="made under another secret"):
        await load(database, NOW, Secrets(b"another installation's secret, in a test"))


async def test_a_sealed_key_does_not_pass_for_another_one(database: Database) -> None:
    await rotate(database, "sig_1", NOW)
    async with database.write() as connection:
        await connection.execute(update(table).values(kid="sig_2"))
    with pytest.raises(ConfigError):
        await load(database, NOW)


async def test_signing_keys_are_sealed_anew_after_the_installations_secret_was_replaced(
    database: Database,
) -> None:
    old, new = SECRETS, Secrets(b"the next secret of this installation, too")
    both = Secrets(b"the next secret of this installation, too", SECRET)
    await rotate(database, "sig_1", NOW)
    former = await load(database, NOW)
    assert former is not None
    token = mint(CLAIMS, former.current)
    await rotate(database, "sig_2", NOW)
    for _ in range(2):
        async with database.write() as connection:
            await signing_keys.reseal(connection, both)
    assert verified(await load(database, NOW, new), token)
    with pytest.raises(ConfigError, match="another secret"):
        await load(database, NOW, old)


async def test_what_neither_secret_opens_stays_as_it_is(database: Database) -> None:
    await rotate(database, "sig_1", NOW)
    async with database.write() as connection:
        await signing_keys.reseal(connection, Secrets(b"n" * 32, b"o" * 32))
    assert await load(database, NOW) is not None


@pytest.mark.parametrize("ahead", [-60.0, 0.0, 60.0])
async def test_ended_keys_verify_nothing_wherever_clocks_differ(database: Database, ahead: float) -> None:
    tokens = []
    for kid in ("sig_1", "sig_2"):
        await rotate(database, kid, NOW)
        keys = await load(database, NOW)
        assert keys is not None
        tokens.append(mint(CLAIMS, keys.current))
    before = await load(database, NOW)
    assert all(verified(before, token) for token in tokens)
    await rotate(database, "sig_3", NOW + ahead, ends_former=True)
    keys = await load(database, NOW)
    assert keys is not None
    assert keys.current.kid == "sig_3"
    assert not any(verified(keys, token) for token in tokens)


async def test_a_key_signs_at_once_although_the_clock_that_made_it_is_behind(database: Database) -> None:
    await rotate(database, "sig_1", NOW)
    before = await load(database, NOW)
    assert before is not None
    token = mint(CLAIMS, before.current)
    await rotate(database, "sig_2", NOW - 60)
    keys = await load(database, NOW)
    assert keys is not None
    assert keys.current.kid == "sig_2"
    assert verified(keys, token)


async def test_of_rotations_at_the_same_time_one_key_signs(database: Database) -> None:
    await rotate(database, "sig_0", NOW)
    await asyncio.gather(*(rotate(database, f"sig_{number}", NOW) for number in range(1, 6)))
    async with database.read() as connection:
        signing = select(func.count()).select_from(table).where(table.c.retires_at.is_(None))
        assert (await connection.execute(signing)).scalar_one() == 1
