"""What is said once: whoever inserts the name first says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite

from innoai.store.tables import announced

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


async def first(connection: AsyncConnection, name: str, now: float) -> bool:
    """Whether nobody has said it yet; from now on somebody has."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    added = await connection.execute(
        dialect.insert(announced)
        .values(name=name, at=now)
        .on_conflict_do_nothing(index_elements=["name"])
        .returning(announced.c.name)
    )
    return added.one_or_none() is not None


async def forget(connection: AsyncConnection, prefix: str) -> None:
    """Let all names that begin with `prefix` be said again."""
    await connection.execute(delete(announced).where(announced.c.name.startswith(prefix, autoescape=True)))
