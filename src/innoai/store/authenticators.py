"""Second factors of members: an app that shows codes, and recovery codes for when it is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, update

from innoai.store.tables import authenticators, recovery_codes
from innoai.store.upsert import insert_into

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.store.secrets import Secrets


async def put(
    connection: AsyncConnection, secrets: Secrets, member_id: str, secret: bytes, step: int, now: float
) -> None:
    """Let this app's codes count, and no other's; `step` is that of the code that proved it."""
    kept = {
        "sealed_secret": secrets.seal(secret, _purpose(member_id)),
        "last_step": step,
        "created_at": now,
    }
    await connection.execute(
        insert_into(connection, authenticators)
        .values(member_id=member_id, **kept)
        .on_conflict_do_update(index_elements=["member_id"], set_=kept)
    )


async def reseal(connection: AsyncConnection, secrets: Secrets) -> None:
    """Seal anew what is sealed under a previous secret of the installation, which is then not needed."""
    query = select(authenticators.c.member_id, authenticators.c.sealed_secret)
    for row in (await connection.execute(query.with_for_update(skip_locked=True))).all():
        # What neither secret opens stays as it is, and its member signs in by another way.
        sealed = secrets.sealed_anew(row.sealed_secret, _purpose(row.member_id))
        if sealed is not None:
            of_member = update(authenticators).where(authenticators.c.member_id == row.member_id)
            await connection.execute(of_member.values(sealed_secret=sealed))


async def secret_of(connection: AsyncConnection, secrets: Secrets, member_id: str) -> bytes | None:
    """What the member's app makes its codes of, if there is one."""
    query = select(authenticators.c.sealed_secret).where(authenticators.c.member_id == member_id)
    sealed = (await connection.execute(query)).scalar_one_or_none()
    return None if sealed is None else secrets.open(sealed, _purpose(member_id))


async def since(connection: AsyncConnection, member_id: str) -> float | None:
    """Since when the member has an app; None without one."""
    query = select(authenticators.c.created_at).where(authenticators.c.member_id == member_id)
    return (await connection.execute(query)).scalar_one_or_none()


async def take_step(connection: AsyncConnection, member_id: str, step: int) -> bool:
    """Take the code of a step; False when it, or a later one, was taken before."""
    query = update(authenticators).where(
        authenticators.c.member_id == member_id, authenticators.c.last_step < step
    )
    return (await connection.execute(query.values(last_step=step))).rowcount == 1


async def remove(connection: AsyncConnection, member_id: str) -> None:
    """Ask the member for no second factor any more."""
    await connection.execute(delete(authenticators).where(authenticators.c.member_id == member_id))
    await connection.execute(delete(recovery_codes).where(recovery_codes.c.member_id == member_id))


async def put_recovery_codes(connection: AsyncConnection, member_id: str, digests: Iterable[bytes]) -> None:
    """Let these recovery codes count, and none of before."""
    await connection.execute(delete(recovery_codes).where(recovery_codes.c.member_id == member_id))
    rows = [{"member_id": member_id, "digest": digest} for digest in digests]
    await connection.execute(insert(recovery_codes), rows)


async def take_recovery_code(connection: AsyncConnection, member_id: str, digest: bytes, now: float) -> bool:
    """Use the recovery code of the digest up; False when it is none, or was used."""
    query = update(recovery_codes).where(
        recovery_codes.c.member_id == member_id,
        recovery_codes.c.digest == digest,
        recovery_codes.c.used_at.is_(None),
    )
    return (await connection.execute(query.values(used_at=now))).rowcount == 1


async def recovery_codes_left(connection: AsyncConnection, member_id: str) -> int:
    """How many recovery codes are unused."""
    query = select(func.count()).where(
        recovery_codes.c.member_id == member_id, recovery_codes.c.used_at.is_(None)
    )
    return (await connection.execute(query)).scalar_one()


def _purpose(member_id: str) -> str:
    return f"authenticator {member_id}"
