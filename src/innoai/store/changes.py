"""The change feed: every mutation that a cache must hear of, in the order in which it was committed.

The number comes from one row that each writer updates in its own transaction, so that the row's
lock makes the order of numbers the order of commits, and a reader who saw n has seen all below n.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from innoai.store.tables import changes, feed_head

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

KEY = "key"
ACCOUNT = "account"
CUSTOMER = "customer"
REVOCATION = "revocation"
SIGNING_KEY = "signing_key"
RETENTION = 3600.0
"""Seconds for which changes are kept; a reader that lags more starts anew."""


@dataclass(frozen=True, slots=True)
class Change:
    """That something about `subject`, an id, is no longer as a cache may know it."""

    sequence: int
    kind: str
    subject: str


async def announce(connection: AsyncConnection, kind: str, subject: str, now: float) -> None:
    """Write a change into the mutation's own transaction.

    It comes after the rows that the transaction changes: `innoai.store` has the order of locks.
    """
    advanced = update(feed_head).values(sequence=feed_head.c.sequence + 1).returning(feed_head.c.sequence)
    sequence = (await connection.execute(advanced)).scalar_one()
    await connection.execute(insert(changes).values(sequence=sequence, kind=kind, subject=subject, at=now))


async def head(connection: AsyncConnection) -> int:
    """The number of the latest change."""
    sequence: int = (await connection.execute(select(feed_head.c.sequence))).scalar_one()
    return sequence


async def since(connection: AsyncConnection, sequence: int) -> list[Change] | None:
    """The changes after `sequence` in order; None when some of them are not to be had."""
    query = select(changes.c.sequence, changes.c.kind, changes.c.subject).where(changes.c.sequence > sequence)
    rows = (await connection.execute(query.order_by(changes.c.sequence))).all()
    reached = rows[-1].sequence if rows else await head(connection)
    return [Change(*row) for row in rows] if len(rows) == reached - sequence else None


async def prune(connection: AsyncConnection, now: float) -> None:
    """Forget the changes past their retention."""
    await connection.execute(delete(changes).where(changes.c.at < now - RETENTION))
