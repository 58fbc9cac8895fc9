"""/v1/billing: what a month came to, and the account's currency, budgets and alert thresholds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from litestar import Response, get, patch, put
from msgspec import UNSET, Meta, UnsetType

from innoai import money
from innoai.access.budgets import TOTAL, Pot, month_of
from innoai.api.actors import actor_of
from innoai.api.admission import Caller, Inside
from innoai.api.money import AmountText, Budgets, SetBudgets, budgets_of, set_budgets
from innoai.api.services import Services
from innoai.api.wire import JsonRequest, answer, read_body, read_query
from innoai.auth.shapes import CustomerId
from innoai.door import Admission
from innoai.errors import InnoError
from innoai.events import journal
from innoai.metering.alerts import DEFAULT_THRESHOLDS
from innoai.metering.prices import currencies
from innoai.store import accounts, api_keys, billing, budgets, customers
from innoai.store.billing import HOURS_PER_DAY, Selection, Totals
from innoai.store.usage import HOUR

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

DAY = HOURS_PER_DAY * HOUR
MAX_THRESHOLDS = 10
MONTH_PATTERN = r"^2[0-9]{3}-(0[1-9]|1[0-2])$(?!\n)"
Month = Annotated[str, Meta(pattern=MONTH_PATTERN, description="a calendar month in UTC, such as 2026-11")]
KeyId = Annotated[str, Meta(pattern=r"^key_[0-9A-Za-z]{22}$(?!\n)", description="the id of a key")]
Format = Annotated[
    Literal["json", "csv"], Meta(description="csv is everything in one file, whatever limit and cursor")
]
Currency = Annotated[
    str,
    Meta(
        pattern=r"^[A-Z]{3}$(?!\n)",
        description="as ISO 4217 writes it",
        extra={"expected": "three capital letters of ISO 4217, such as USD"},
        examples=["USD"],
    ),
]
Percent = Annotated[int, Meta(ge=1, le=100)]
Thresholds = Annotated[
    list[Percent],
    Meta(max_length=MAX_THRESHOLDS, description="percent of a budget at which an event is sent"),
]


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """Usage added up; a failure is a request that was answered with an error, or not to its end."""

    requests: int
    failures: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: AmountText


class SummaryQuery(msgspec.Struct, frozen=True):
    """Of what to give a summary; by default of the account in the current month."""

    month: Month | None = None
    customer_id: CustomerId | None = None
    key_id: KeyId | None = None


class ModelSums(Sums, frozen=True, kw_only=True):
    """What was used of a model."""

    model: str | None


class BudgetUse(msgspec.Struct, frozen=True, kw_only=True):
    """A budget and how far it is used: `held` is set aside for requests under way."""

    subject_id: Annotated[str, Meta(description="the account's, the customer's or the key's id")]
    customer_id: str | None
    key_id: str | None
    period: Annotated[str, Meta(description="a month such as 2026-11, or total")]
    budget: AmountText
    spent: AmountText
    held: AmountText
    remaining: AmountText


class BillingSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a month came to, altogether and by model, and how the budgets stand."""

    object: Literal["billing_summary"] = "billing_summary"
    month: Month
    currency: Currency
    totals: Sums
    models: list[ModelSums]
    budgets: list[BudgetUse]


class ChangeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change; a member that is left out stays as it is."""

    currency: Currency | UnsetType = UNSET
    budgets: SetBudgets | UnsetType = UNSET
    alert_thresholds: Thresholds | UnsetType | None = UNSET


class ReplaceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings, as GET gives them; what is left out is as it was for a new account, but the currency."""

    currency: Currency | UnsetType = UNSET
    budgets: SetBudgets = SetBudgets()
    alert_thresholds: Thresholds | None = None
    object: Literal["billing_settings"] = "billing_settings"
    currencies: Annotated[list[Currency], Meta(description="what may be chosen; it is not changed")] = []

    def as_change(self) -> ChangeSettings:
        """The same as a change of every setting."""
        budgets = SetBudgets(
            None if self.budgets.monthly is UNSET else self.budgets.monthly,
            None if self.budgets.total is UNSET else self.budgets.total,
        )
        return ChangeSettings(self.currency, budgets, self.alert_thresholds)


class BillingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The account's currency, one of `currencies`; its budgets, and when events tell of any budget."""

    object: Literal["billing_settings"] = "billing_settings"
    currency: Currency
    currencies: list[Currency]
    budgets: Budgets
    alert_thresholds: list[Percent]


@get("/v1/billing/summary")
async def show_summary(request: JsonRequest, services: Inside, caller: Caller) -> Response[bytes]:
    """Say what a month came to, and how the budgets stand."""
    query = read_query(request, SummaryQuery)
    month = query.month or month_of(services.clock())
    account = caller.principal.account
    since, until = bounds_of(month)
    async with services.database.report() as connection:
        visible = await visible_customers(connection, caller, query.customer_id)
        selection = Selection(account.id, since, until, None, query.key_id, visible)
        by_model = await billing.buckets(connection, selection, ("model",))
        uses = [
            use
            for subject, customer_id, key_id in await _budgeted(connection, caller, query)
            for use in await _uses(connection, subject, customer_id, key_id, month)
        ]
    return answer(
        BillingSummary(
            month=month,
            currency=account.currency,
            totals=Sums(**sums_of(billing.together(bucket.totals for bucket in by_model))),
            models=[
                ModelSums(model=str(bucket.of[0]) or None, **sums_of(bucket.totals)) for bucket in by_model
            ],
            budgets=uses,
        )
    )


@get("/v1/billing/settings")
async def show_settings(services: Inside, caller: Caller) -> Response[bytes]:
    """Show the account's currency, budgets and alert thresholds."""
    async with services.database.read() as connection:
        return answer(await _settings(connection, services, caller))


@patch("/v1/billing/settings")
async def change_settings(request: JsonRequest, services: Inside, caller: Caller) -> Response[bytes]:
    """Change the account's currency, budgets or alert thresholds."""
    return await _change(await read_body(request, ChangeSettings), request, services, caller)


@put("/v1/billing/settings")
async def replace_settings(request: JsonRequest, services: Inside, caller: Caller) -> Response[bytes]:
    """Set all of them at once."""
    wanted = await read_body(request, ReplaceSettings)
    return await _change(wanted.as_change(), request, services, caller)


async def _change(
    wanted: ChangeSettings, request: JsonRequest, services: Services, caller: Admission
) -> Response[bytes]:
    account_id, now = caller.principal.account.id, services.clock()
    values: dict[str, Any] = {}
    if wanted.currency is not UNSET:
        values["currency"] = _offered(wanted.currency, services)
    if wanted.alert_thresholds is not UNSET:
        thresholds = wanted.alert_thresholds
        values["alert_thresholds"] = None if thresholds is None else tuple(sorted(set(thresholds)))
    async with services.database.write() as connection:
        await accounts.lock(connection, account_id)
        before = await _settings(connection, services, caller)
        if values.get("currency", before.currency) != before.currency:
            await _keep_currency_once_charged(connection, account_id, before.currency)
        if wanted.budgets is not UNSET:
            await set_budgets(connection, account_id, account_id, wanted.budgets, now)
        present = await accounts.get(connection, account_id)
        # Whoever sends the same again changes nothing, and has nobody forget anything.
        differing = {name: value for name, value in values.items() if value != getattr(present, name)}
        if differing:
            await accounts.change(connection, account_id, differing, now)
        after = await _settings(connection, services, caller)
        if after != before:
            await journal.record(
                connection,
                account_id,
                "billing.settings_updated",
                actor=actor_of(request, caller),
                now=now,
                target_id=account_id,
                before=msgspec.to_builtins(before),
                after=msgspec.to_builtins(after),
            )
    await services.heed_changes()
    return answer(after)


async def visible_customers(
    connection: AsyncConnection, caller: Admission, customer_id: str | None
) -> tuple[str, ...] | None:
    """Our ids of the customers whose usage to show; None is everybody's. A customer sees its own alone."""
    own = caller.principal.customer
    if own is not None:
        return () if customer_id not in (None, own.customer_id) else (own.id,)
    if customer_id is None:
        return None
    return await billing.customers_of(connection, caller.principal.account.id, customer_id)


def bounds_of(month: str) -> tuple[float, float]:
    """When a month such as 2026-11 begins, and when the next one does, in Unix seconds."""
    year, number = int(month[:4]), int(month[5:])
    first = datetime(year, number, 1, tzinfo=UTC)
    following = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    return first.timestamp(), following.timestamp()


def sums_of(totals: Totals) -> dict[str, Any]:
    """The members of Sums."""
    return {**totals._asdict(), "cost": money.show(totals.cost)}


def day_of(days: str | int) -> str:
    """A bucket's day as a date."""
    return datetime.fromtimestamp(int(days) * DAY, UTC).date().isoformat()


async def _budgeted(
    connection: AsyncConnection, caller: Admission, query: SummaryQuery
) -> list[tuple[str, str | None, str | None]]:
    """Whose budgets a summary shows: our id, with the customer_id or the key's id."""
    account, own = caller.principal.account, caller.principal.customer
    if own is not None:
        return [(own.id, own.customer_id, None)]
    if query.customer_id is None and query.key_id is None:
        return [(account.id, None, None)]
    asked: list[tuple[str, str | None, str | None]] = []
    if query.customer_id is not None:
        customer = await customers.find(connection, account.id, query.customer_id)
        asked += [] if customer is None else [(customer.id, customer.customer_id, None)]
    if query.key_id is not None:
        key = await api_keys.get(connection, query.key_id, account.id)
        asked += [] if key is None else [(key.id, None, key.id)]
    return asked


async def _uses(
    connection: AsyncConnection, subject: str, customer_id: str | None, key_id: str | None, month: str
) -> list[BudgetUse]:
    uses = []
    for period in (month, TOTAL):
        standing = await budgets.standing(connection, Pot(subject, period))
        if standing is not None:
            uses.append(
                BudgetUse(
                    subject_id=subject,
                    customer_id=customer_id,
                    key_id=key_id,
                    period=period,
                    budget=money.show(standing.amount),
                    spent=money.show(standing.spent),
                    held=money.show(standing.held),
                    remaining=money.show(max(standing.free, 0)),
                )
            )
    return uses


async def _settings(connection: AsyncConnection, services: Services, caller: Admission) -> BillingSettings:
    account = await accounts.get(connection, caller.principal.account.id)
    thresholds = account.alert_thresholds
    return BillingSettings(
        currency=account.currency or services.settings.billing.currency,
        currencies=list(currencies(services.settings.billing)),
        budgets=budgets_of(await budgets.of(connection, account.id)),
        alert_thresholds=list(DEFAULT_THRESHOLDS if thresholds is None else thresholds),
    )


def _offered(currency: str, services: Services) -> str:
    offered = currencies(services.settings.billing)
    if currency not in offered:
        raise InnoError(
            "invalid_request",
            f"currency: this server has no rate for {currency}; choose of {', '.join(offered)}.",
            param="currency",
        )
    return currency


async def _keep_currency_once_charged(connection: AsyncConnection, account_id: str, currency: str) -> None:
    if await billing.was_charged(connection, account_id):
        raise InnoError(
            "conflict",
            f"The account has been charged in {currency}, and amounts of two currencies cannot be added up.",
            param="currency",
        )
    if await budgets.is_held(connection, account_id):
        raise InnoError(
            "conflict",
            f"Requests under way have set amounts in {currency} aside. Try again in a few seconds. What a "
            "server that was lost with its disk had set aside ends after a week, or with the budgets.",
            param="currency",
        )
