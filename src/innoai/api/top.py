"""/v1/billing/top: which keys or customers used most in a month."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from litestar import Response, get
from msgspec import Meta

from innoai import money
from innoai.access.budgets import month_of
from innoai.api.admission import Caller, Inside
from innoai.api.billing import Currency, Month
from innoai.api.money import AmountText
from innoai.api.wire import JsonRequest, Limit, Page, answer, read_query
from innoai.store import api_keys, billing


class TopQuery(msgspec.Struct, frozen=True):
    """Of what, and of which month; by default the keys of the current one."""

    by: Annotated[Literal["key", "customer"], Meta(description="keys or customers")] = "key"
    month: Month | None = None
    limit: Limit = 20


class Top(msgspec.Struct, frozen=True, kw_only=True):
    """What a key or a customer used in the month; of a key its name, too."""

    key_id: str | None
    name: str | None
    customer_id: str | None
    requests: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: AmountText


class TopPage(Page, frozen=True, kw_only=True):
    """Those with the most requests first; there is no page behind it."""

    data: list[Top]
    month: Month
    currency: Currency


@get("/v1/billing/top")
async def show_top(request: JsonRequest, services: Inside, caller: Caller) -> Response[bytes]:
    """List who used most in a month, by finished inference requests."""
    query = read_query(request, TopQuery)
    month = query.month or month_of(services.clock())
    account = caller.principal.account
    by_key = query.by == "key"
    most = billing.most_of_keys if by_key else billing.most_of_customers
    async with services.database.report() as connection:
        found = await most(connection, account.id, month, query.limit)
        ids = [one.who for one in found] if by_key else []
        names = await api_keys.names(connection, account.id, ids)
    return answer(
        TopPage(
            data=[
                Top(
                    key_id=one.who if by_key else None,
                    name=names.get(one.who) if by_key else None,
                    customer_id=None if by_key else one.who,
                    requests=one.requests,
                    prompt_tokens=one.prompt_tokens,
                    cached_tokens=one.cached_tokens,
                    completion_tokens=one.completion_tokens,
                    cost=money.show(one.cost),
                )
                for one in found
            ],
            next_cursor=None,
            month=month,
            currency=account.currency,
        )
    )
