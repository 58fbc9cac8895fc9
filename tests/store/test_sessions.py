from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from innoai.store import members, sessions
from innoai.store.members import MemberRecord
from tests.support.stores import ACCOUNT, NOW

if TYPE_CHECKING:
    from innoai.store.database import Database
    from innoai.store.sessions import SessionRecord

ANA = MemberRecord("mem_1", ACCOUNT.id, "owner", NOW, "ana@example.com", "Ana", NOW + 60)
LIFE, IDLE = 1000.0, 100.0


async def begin(database: Database, *numbers: int) -> None:
    """Let Ana have joined, with sessions of these numbers."""
    async with database.write() as connection:
        await members.invite(connection, ANA, "her invite")
        assert await members.join(connection, ANA.id, {}, NOW)
        for number in numbers:
            await sessions.begin(
                connection,
                b"digest %d" % number,
                session_id=f"ses_{number}",
                member_id=ANA.id,
                method="password",
                address="203.0.113.7",
                user_agent="Firefox",
                now=NOW + number,
                proved_at=NOW + number,
                expires_at=NOW + LIFE,
            )


async def found(database: Database, now: float, *digests: bytes) -> SessionRecord | None:
    async with database.read() as connection:
        return await sessions.find(connection, digests, now, seen_after=now - IDLE)


async def test_a_session_is_found_by_its_digest_with_the_member_as_of_now(database: Database) -> None:
    await begin(database, 1)
    session = await found(database, NOW + 2, b"of another secret", b"digest 1")
    assert session is not None
    assert (session.id, session.account_id, session.role, session.email) == (
        "ses_1",
        ACCOUNT.id,
        "owner",
        "ana@example.com",
    )
    async with database.write() as connection:
        await members.change(connection, ANA.id, {"role": "viewer"})
    assert await found(database, NOW + 2, b"digest 1") == replace(session, role="viewer")
    assert await found(database, NOW + 2, b"digest 2") is None


async def test_a_session_ends_when_it_is_old_or_idle(database: Database) -> None:
    await begin(database, 1)
    assert await found(database, NOW + 1 + IDLE - 0.5, b"digest 1") is not None
    assert await found(database, NOW + 1 + IDLE, b"digest 1") is None
    async with database.write() as connection:
        await sessions.note(connection, "ses_1", {"seen_at": NOW + LIFE - 1})
    assert await found(database, NOW + LIFE - 0.5, b"digest 1") is not None
    assert await found(database, NOW + LIFE, b"digest 1") is None


async def test_sessions_are_listed_as_they_were_seen_and_ended(database: Database) -> None:
    await begin(database, 1, 2, 3)
    async with database.write() as connection:
        await sessions.note(connection, "ses_1", {"seen_at": NOW + 50})
        listed = await sessions.of_member(connection, ANA.id, NOW + 60, seen_after=0.0)
        assert [session.id for session in listed] == ["ses_1", "ses_3", "ses_2"]
        assert not await sessions.end(connection, "mem_2", "ses_2")
        assert await sessions.end(connection, ANA.id, "ses_2")
        assert not await sessions.end(connection, ANA.id, "ses_2")
        assert await sessions.end_others(connection, ANA.id, "ses_3") == 1
        assert await sessions.end_others(connection, ANA.id, None) == 1


async def test_the_sessions_of_a_removed_member_are_gone(database: Database) -> None:
    await begin(database, 1)
    async with database.write() as connection:
        await members.remove(connection, ANA.id)
    assert await found(database, NOW + 2, b"digest 1") is None


async def test_sessions_that_have_ended_are_forgotten(database: Database) -> None:
    await begin(database, 1, 2)
    async with database.write() as connection:
        await sessions.note(connection, "ses_2", {"seen_at": NOW + 90})
        await sessions.prune(connection, NOW + 95, seen_after=NOW + 50)
        left = await sessions.of_member(connection, ANA.id, 0.0, seen_after=0.0)
        assert [session.id for session in left] == ["ses_2"]
        await sessions.prune(connection, NOW + LIFE, seen_after=0.0)
        assert await sessions.of_member(connection, ANA.id, 0.0, seen_after=0.0) == []
