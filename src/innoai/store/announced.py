"""What is said once: whoever inserts the name first says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from innoai.store.tables import announced
from innoai.store.upsert import insert_into

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


NAMES_AT_ONCE = 1000
"""Names in one query; databases bound the parameters of a statement."""


async def first(connection: AsyncConnection, name: str, now: float) -> bool:
    """Whether nobody has said it yet; from now on somebody has."""
    added = await connection.execute(
        insert_into(connection, announced)
        .values(name=name, at=now)
        .on_conflict_do_nothing(index_elements=["name"])
        .returning(announced.c.name)
    )
    return added.one_or_none() is not None


async def said(connection: AsyncConnection, names: Sequence[str]) -> set[str]:
    """Which of the names have been said."""
    found: set[str] = set()
    for start in range(0, len(names), NAMES_AT_ONCE):
        some = names[start : start + NAMES_AT_ONCE]
        query = select(announced.c.name).where(announced.c.name.in_(some))
        found.update((await connection.execute(query)).scalars())
    return found


async def forget(connection: AsyncConnection, prefix: str) -> None:
    """Let all names that begin with `prefix` be said again."""
    await connection.execute(delete(announced).where(announced.c.name.startswith(prefix, autoescape=True)))
