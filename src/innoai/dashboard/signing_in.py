"""What every way of signing in ends with: a new session, on record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from innoai.dashboard.cookies import new_token
from innoai.envelope import REQUEST_ID_KEY
from innoai.events import journal
from innoai.events.journal import Actor
from innoai.fresh_ids import fresh_id
from innoai.store import sessions

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.dashboard.visit import Visit
    from innoai.store.members import MemberRecord

USER_AGENT_LENGTH = 300


async def begin_session(
    visit: Visit,
    connection: AsyncConnection,
    member: MemberRecord,
    method: str,
    *,
    proved_at: float | None = None,
) -> None:
    """Begin a session in the transaction in which the member gave proof, under an id nobody knew before.

    What the browser held until now, a session too, is worth nothing from then on (session fixation).

    Args:
        proved_at: when the member proved who they are, if that was to another server; else it is now.
    """
    inside = visit.inside
    now = inside.clock()
    if visit.session is not None:
        await sessions.end(connection, visit.session.member_id, visit.session.id)
    token = new_token()
    lifetime = inside.settings.dashboard.session_lifetime
    session_id = fresh_id("ses")
    await sessions.begin(
        connection,
        inside.secrets.digests(token)[0],
        session_id=session_id,
        member_id=member.id,
        method=method,
        address=visit.address,
        user_agent=(visit.user_agent or "")[:USER_AGENT_LENGTH] or None,
        now=now,
        proved_at=now if proved_at is None else proved_at,
        expires_at=now + lifetime,
    )
    await record(
        visit,
        connection,
        member.account_id,
        member.id,
        "member.signed_in",
        after={"id": session_id, "method": method},
    )
    visit.become(token, lifetime)


async def record(
    visit: Visit,
    connection: AsyncConnection,
    account_id: str,
    member_id: str,
    action: str,
    *,
    after: dict[str, object] | None = None,
) -> None:
    """Put on record what a member did to their own way of signing in."""
    actor = Actor("member", member_id, visit.address, visit.scope[REQUEST_ID_KEY])
    await journal.record(
        connection,
        account_id,
        action,
        actor=actor,
        now=visit.inside.clock(),
        target_id=member_id,
        after=after,
    )


async def record_wrong(visit: Visit, wrong: str, at: str) -> None:
    """Put on record that a member who is signed in gave something wrong: it may be somebody at their browser.

    Args:
        wrong: what it was, `password` or `code`.
        at: what it was asked for, such as `proof`.
    """
    member = visit.member
    async with visit.inside.database.write() as connection:
        after: dict[str, object] = {"wrong": wrong, "at": at}
        await record(
            visit, connection, member.account_id, member.member_id, "member.sign_in_failed", after=after
        )
