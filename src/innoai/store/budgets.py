"""Budgets, and what each process holds of them.

A process may spend what it holds without asking again. So what is spent (as far as the store knows)
and what is held is never more than the budget, whatever happens to a process. Its holds go down once
its usage records are in the store; those of a process that died go when its spool has been shipped.

Amounts are billionths of the account's currency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from innoai.access.budgets import MONTHLY, TOTAL, Budget
from innoai.store import announced, changes
from innoai.store.tables import budget_holds, budgets, spending
from innoai.store.upsert import insert_into

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.access.budgets import Pot

KINDS = {"acc": changes.ACCOUNT, "cus": changes.CUSTOMER, "key": changes.KEY}
ABANDONED = 7 * 86_400.0
"""Seconds after which a hold that nobody has touched was a process's that is gone with its disk."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a budget stands in a period: `held` is what processes may spend without asking again."""

    amount: int
    spent: int
    held: int

    @property
    def free(self) -> int:
        """What may still be held."""
        return self.amount - self.spent - self.held


async def of(connection: AsyncConnection, subject: str) -> dict[str, int]:
    """The budgets of an account, a customer or a key: period to amount."""
    return {budget.period: budget.amount for budget in await of_many(connection, (subject,))}


async def of_many(connection: AsyncConnection, subjects: Iterable[str]) -> list[Budget]:
    """The budgets of several subjects."""
    query = select(budgets.c.subject, budgets.c.period, budgets.c.amount).where(
        budgets.c.subject.in_(list(subjects))
    )
    rows = (await connection.execute(query.order_by(budgets.c.subject, budgets.c.period))).all()
    return [Budget(*row) for row in rows]


async def set_amount(
    connection: AsyncConnection, account_id: str, subject: str, period: str, amount: int | None, now: float
) -> None:
    """Set or remove a budget and tell the feed; its alerts may be sent anew."""
    own = (budgets.c.subject == subject) & (budgets.c.period == period)
    if amount is None:
        await connection.execute(delete(budgets).where(own))
    else:
        values = {"account_id": account_id, "amount": amount, "updated_at": now}
        statement = insert_into(connection, budgets).values(subject=subject, period=period, **values)
        await connection.execute(
            statement.on_conflict_do_update(index_elements=["subject", "period"], set_=values)
        )
    await announced.forget_budgets(connection, subject)
    await changes.announce(connection, KINDS[subject.partition("_")[0]], subject, now)


async def remove(connection: AsyncConnection, subject: str) -> None:
    """Forget the budgets of a subject that is deleted."""
    await connection.execute(delete(budgets).where(budgets.c.subject == subject))
    await announced.forget_budgets(connection, subject)


async def standing(connection: AsyncConnection, pot: Pot, *, lock: bool = False) -> Standing | None:
    """How a budget stands; None when there is none. `lock` keeps others from taking of it meanwhile."""
    period = TOTAL if pot.period == TOTAL else MONTHLY
    amount = select(budgets.c.amount).where(budgets.c.subject == pot.subject, budgets.c.period == period)
    if lock:
        amount = amount.with_for_update()
    found = (await connection.execute(amount)).scalar_one_or_none()
    if found is None:
        return None
    # Both sums in one statement, so in one snapshot: records that arrive move from held to spent.
    sums = select(_spent(pot).label("spent"), _held(pot).label("held"))
    row = (await connection.execute(sums)).one()
    return Standing(found, int(row.spent), int(row.held))


def _spent(pot: Pot) -> ColumnElement[int]:
    query = select(func.coalesce(func.sum(spending.c.cost), 0)).where(spending.c.subject == pot.subject)
    return (query if pot.period == TOTAL else query.where(spending.c.month == pot.period)).scalar_subquery()


def _held(pot: Pot) -> ColumnElement[int]:
    query = select(func.coalesce(func.sum(budget_holds.c.amount), 0)).where(
        budget_holds.c.subject == pot.subject, budget_holds.c.period == pot.period
    )
    return query.scalar_subquery()


async def is_held(connection: AsyncConnection, account_id: str) -> bool:
    """Whether a process holds something of any budget within the account."""
    query = (
        select(budget_holds.c.subject)
        .join(budgets, budgets.c.subject == budget_holds.c.subject)
        .where(budgets.c.account_id == account_id)
    )
    return (await connection.execute(query.limit(1))).first() is not None


async def hold(connection: AsyncConnection, holder: str, amounts: Mapping[Pot, int], now: float) -> None:
    """Set what a process holds, in whole and not as a difference: a lost answer is then no lost count."""
    for pot, amount in sorted(amounts.items(), key=lambda item: (item[0].subject, item[0].period)):
        own = (
            (budget_holds.c.subject == pot.subject)
            & (budget_holds.c.period == pot.period)
            & (budget_holds.c.holder == holder)
        )
        if amount == 0:
            await connection.execute(delete(budget_holds).where(own))
            continue
        values = {"amount": amount, "updated_at": now}
        statement = insert_into(connection, budget_holds).values(
            subject=pot.subject, period=pot.period, holder=holder, **values
        )
        await connection.execute(
            statement.on_conflict_do_update(index_elements=["subject", "period", "holder"], set_=values)
        )


async def release(connection: AsyncConnection, holders: Collection[str]) -> None:
    """Let go of what processes held that are gone, once their usage records are in the store."""
    await connection.execute(delete(budget_holds).where(budget_holds.c.holder.in_(list(holders))))


async def prune(connection: AsyncConnection, now: float) -> None:
    """Let go of what was held by processes that are gone with their disks."""
    await connection.execute(delete(budget_holds).where(budget_holds.c.updated_at < now - ABANDONED))
