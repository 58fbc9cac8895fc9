"""What is said once of an account, a key or a customer: whoever inserts the name first says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from innoai.access.budgets import TOTAL
from innoai.store.tables import announced
from innoai.store.upsert import insert_into

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

BUDGET = "budget/"
"""Names of what is said of budgets go on with the period: `budget/2026-11/80`."""

RETENTION = 92 * 86_400.0
"""Seconds after which the month of a budget and the last week of a key are long over."""

SUBJECTS_AT_ONCE = 1000
"""Subjects in one query; databases bound the parameters of a statement."""


async def first(connection: AsyncConnection, subject: str, name: str, now: float) -> bool:
    """Whether nobody has said it yet; from now on somebody has."""
    added = await connection.execute(
        insert_into(connection, announced)
        .values(subject=subject, name=name, at=now)
        .on_conflict_do_nothing(index_elements=["subject", "name"])
        .returning(announced.c.name)
    )
    return added.one_or_none() is not None


async def said(connection: AsyncConnection, subjects: Sequence[str]) -> set[tuple[str, str]]:
    """What has been said of the subjects, as pairs of subject and name."""
    found: set[tuple[str, str]] = set()
    for start in range(0, len(subjects), SUBJECTS_AT_ONCE):
        some = subjects[start : start + SUBJECTS_AT_ONCE]
        query = select(announced.c.subject, announced.c.name).where(announced.c.subject.in_(some))
        found.update((row.subject, row.name) for row in await connection.execute(query))
    return found


async def forget_budgets(connection: AsyncConnection, subject: str) -> None:
    """Let all be said again of the subject's budgets."""
    of_budgets = announced.c.name.startswith(BUDGET, autoescape=True)
    await connection.execute(delete(announced).where(announced.c.subject == subject, of_budgets))


async def prune(connection: AsyncConnection, now: float) -> None:
    """Forget what could not be said again anyway; a total budget lasts until it is changed."""
    of_totals = announced.c.name.startswith(f"{BUDGET}{TOTAL}/", autoescape=True)
    await connection.execute(delete(announced).where(announced.c.at < now - RETENTION, ~of_totals))
