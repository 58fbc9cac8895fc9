"""Money on the wire: amounts as decimal text, and the budgets of an account, a customer or a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from innoai import money
from innoai.money import AMOUNT_PATTERN, MAX_AMOUNT, NANO
from innoai.store import budgets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

Amount = Annotated[
    Annotated[int, Meta(ge=0, le=MAX_AMOUNT // NANO)]
    | Annotated[
        str,
        Meta(
            pattern=AMOUNT_PATTERN,
            extra={"expected": "an amount of at most 1000000000 with a point before decimals, such as 12.50"},
        ),
    ],
    Meta(description='decimal text such as "12.50", or a whole number, in the account\'s currency'),
]
"""An amount in a request. No floats: 0.1 is none of them."""

AmountText = Annotated[
    str,
    Meta(
        description="decimal text in the account's currency",
        examples=["0.0125"],
        extra_json_schema={"pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]{1,9})?$"},
    ),
]
"""An amount in an answer."""


class SetBudgets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Budgets to set; a member that is left out stays as it is, null removes the budget."""

    monthly: (
        Annotated[
            Amount | None, Meta(description="what a calendar month (UTC) may cost, in the account's currency")
        ]
        | UnsetType
    ) = UNSET
    total: (
        Annotated[Amount | None, Meta(description="what all of it may cost, in the account's currency")]
        | UnsetType
    ) = UNSET


class Budgets(msgspec.Struct, frozen=True):
    """What may be spent in a calendar month (UTC), and altogether; null is no bound."""

    monthly: AmountText | None
    total: AmountText | None


def amount_of(wanted: int | str) -> int:
    """An Amount in billionths."""
    return wanted * NANO if isinstance(wanted, int) else money.parse(wanted)


def budgets_of(amounts: Mapping[str, int]) -> Budgets:
    """Budgets by period, as store.budgets.of() gives them, for an answer."""
    shown = {period: money.show(amount) for period, amount in amounts.items()}
    return Budgets(shown.get("monthly"), shown.get("total"))


async def budgets_by_subject(connection: AsyncConnection, subjects: Iterable[str]) -> dict[str, Budgets]:
    """The budgets of several accounts, customers or keys, for an answer; each of them has its own."""
    amounts: dict[str, dict[str, int]] = {subject: {} for subject in subjects}
    for budget in await budgets.of_many(connection, amounts):
        amounts[budget.subject][budget.period] = budget.amount
    return {subject: budgets_of(own) for subject, own in amounts.items()}


async def set_budgets(
    connection: AsyncConnection, account_id: str, subject: str, wanted: SetBudgets, now: float
) -> None:
    """Set and remove the budgets that the request names, of an account, a customer or a key.

    One that stays as it is is left alone, and so are its alerts.
    """
    for period, nanos in (await changed_budgets(connection, subject, wanted)).items():
        await budgets.set_amount(connection, account_id, subject, period, nanos, now)


async def changed_budgets(
    connection: AsyncConnection, subject: str, wanted: SetBudgets
) -> dict[str, int | None]:
    """The budgets that the request would not leave as they are: period to billionths, None to remove it."""
    present = await budgets.of(connection, subject)
    changed: dict[str, int | None] = {}
    for period in SetBudgets.__struct_fields__:
        amount: int | str | UnsetType | None = getattr(wanted, period)
        if amount is UNSET:
            continue
        nanos = None if amount is None else amount_of(amount)
        if nanos != present.get(period):
            changed[period] = nanos
    return changed
