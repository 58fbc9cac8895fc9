"""What is under way in a browser: a second factor awaited, a challenge, a journey to a provider.

Each is kept under a digest of the cookie of the browser in which it began, and is good for one use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from innoai.store.tables import ceremonies
from innoai.store.upsert import insert_into

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.store.secrets import Secrets


async def begin(
    connection: AsyncConnection,
    secrets: Secrets,
    holder: bytes,
    kind: str,
    content: bytes,
    *,
    expires_at: float,
) -> None:
    """Begin one; of a kind the browser has one at a time, the latest."""
    kept = {"sealed": secrets.seal(content, f"ceremony {kind}"), "expires_at": expires_at}
    await connection.execute(
        insert_into(connection, ceremonies)
        .values(holder=holder, kind=kind, **kept)
        .on_conflict_do_update(index_elements=["holder", "kind"], set_=kept)
    )


async def look(
    connection: AsyncConnection, secrets: Secrets, holder: bytes, kind: str, now: float
) -> bytes | None:
    """What the one under way holds, which stays under way."""
    query = select(ceremonies.c.sealed).where(
        ceremonies.c.holder == holder, ceremonies.c.kind == kind, ceremonies.c.expires_at > now
    )
    sealed = (await connection.execute(query)).scalar_one_or_none()
    return None if sealed is None else secrets.open(sealed, f"ceremony {kind}")


async def finish(
    connection: AsyncConnection, secrets: Secrets, holder: bytes, kind: str, now: float
) -> bytes | None:
    """What the one under way holds; whoever comes second finds nothing."""
    query = (
        delete(ceremonies)
        .where(ceremonies.c.holder == holder, ceremonies.c.kind == kind)
        .returning(ceremonies.c.sealed, ceremonies.c.expires_at)
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None or row.expires_at <= now:
        return None
    return secrets.open(row.sealed, f"ceremony {kind}")


async def prune(connection: AsyncConnection, now: float) -> None:
    """Forget those that nobody finished."""
    await connection.execute(delete(ceremonies).where(ceremonies.c.expires_at <= now))
