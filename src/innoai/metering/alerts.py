"""What a tenant is told of its budgets, each thing once a period: thresholds reached, and one used up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from innoai.access.budgets import pot_of
from innoai.events import journal
from innoai.money import show
from innoai.store import accounts, announced, budgets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.access.budgets import Budget, Pot
    from innoai.access.principal import Principal
    from innoai.store.usage import UsageRecord

DEFAULT_THRESHOLDS = (80, 100)
"""Percent of a budget."""


async def exhausted(
    connection: AsyncConnection, principal: Principal, budget: Budget, pot: Pot, spent: int, now: float
) -> None:
    """Say, unless it was said, that a budget does not cover a request any more."""
    if await announced.first(connection, pot.subject, f"{_name(pot)}/exhausted", now):
        customer = principal.customer
        customer_id = customer.customer_id if customer is not None and customer.id == pot.subject else None
        account = principal.account
        await journal.record(
            connection,
            account.id,
            "billing.budget_exhausted",
            actor=journal.SYSTEM,
            now=now,
            target_id=pot.subject,
            after=_shown(budget, pot, customer_id, spent, account.currency),
        )


async def thresholds(
    connection: AsyncConnection, records: Sequence[UsageRecord], currency: str, now: float
) -> None:
    """Say, unless it was said, which thresholds of budgets these new records have reached.

    `currency` is that of accounts which have not chosen another.
    """
    costing = [record for record in records if record.cost]
    subjects = {subject for record in costing for subject in _subjects(record)}
    if not subjects:
        return
    reached: list[_Reached] = []
    for budget in await budgets.of_many(connection, sorted(subjects)):
        own = [record for record in costing if budget.subject in _subjects(record)]
        for pot in sorted({pot_of(budget, record.started_at) for record in own}, key=_name):
            reached += await _newly_reached(connection, budget, pot, own[-1], currency, now)
    # After all names, since the audit log's rows are locked last (innoai.store), and in one order.
    for each in sorted(reached, key=lambda each: each.account_id):
        await journal.record(
            connection,
            each.account_id,
            "billing.threshold_reached",
            actor=journal.SYSTEM,
            now=now,
            target_id=each.subject,
            after=each.shown,
        )


class _Reached(NamedTuple):
    account_id: str
    subject: str
    shown: dict[str, Any]


async def _newly_reached(
    connection: AsyncConnection, budget: Budget, pot: Pot, record: UsageRecord, currency: str, now: float
) -> list[_Reached]:
    standing = await budgets.standing(connection, pot)
    if standing is None:
        return []
    account = await accounts.get(connection, record.account_id)
    chosen = account.alert_thresholds
    customer_id = record.customer_id if record.customer_pk == pot.subject else None
    shown = _shown(budget, pot, customer_id, standing.spent, account.currency or currency)
    return [
        _Reached(account.id, pot.subject, {**shown, "threshold": threshold})
        for threshold in (DEFAULT_THRESHOLDS if chosen is None else chosen)
        if standing.spent * 100 >= standing.amount * threshold
        and await announced.first(connection, pot.subject, f"{_name(pot)}/{threshold}", now)
    ]


def _name(pot: Pot) -> str:
    return f"{announced.BUDGET}{pot.period}"


def _subjects(record: UsageRecord) -> tuple[str, ...]:
    customer = () if record.customer_pk is None else (record.customer_pk,)
    return (record.account_id, record.key_id, *customer)


def _shown(budget: Budget, pot: Pot, customer_id: str | None, spent: int, currency: str) -> dict[str, Any]:
    return {
        "subject_id": pot.subject,
        "customer_id": customer_id,
        "period": pot.period,
        "budget": show(budget.amount),
        "spent": show(spent),
        "currency": currency,
    }
