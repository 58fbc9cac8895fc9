"""/v1/billing/usage: what was used, request by request or added up, as pages or as one CSV file."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Response, get
from msgspec import UNSET, Meta, UnsetType, field

from innoai import money
from innoai.access.budgets import month_of
from innoai.api.admission import Caller, Inside
from innoai.api.billing import (
    DAY,
    Currency,
    Format,
    KeyId,
    Sums,
    bounds_of,
    day_of,
    sums_of,
    visible_customers,
)
from innoai.api.csv_export import EXPORT_PAGE, csv_answer
from innoai.api.keys import LAST_INSTANT, ModelName
from innoai.api.money import AmountText
from innoai.api.services import Services
from innoai.api.wire import Instant, JsonRequest, Limit, Page, answer, cut, instant, read_query
from innoai.auth.shapes import CustomerId
from innoai.door import Admission
from innoai.errors import InnoError
from innoai.store import billing, usage
from innoai.store.billing import GROUPS, Bucket, GroupName, Selection
from innoai.store.usage import HOUR

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

LAST_HOUR = LAST_INSTANT // HOUR * HOUR
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)

When = Annotated[
    str,
    Meta(
        max_length=64,
        description="an RFC 3339 instant with its offset, or a date, whose beginning in UTC it then is",
        extra_json_schema={"anyOf": [{"format": "date-time"}, {"format": "date"}]},
    ),
]
Tokens = Annotated[int, Meta(ge=0)]


class UsageQuery(msgspec.Struct, frozen=True):
    """Which usage, and by what to add it up; by default that of the current month, a record a request."""

    since: Annotated[When, Meta(description="from then on; an instant or a date")] | None = field(
        default=None, name="from"
    )
    until: Annotated[When, Meta(description="before then; an instant or a date")] | None = field(
        default=None, name="to"
    )
    group_by: (
        Annotated[
            str,
            Meta(
                max_length=64,
                description=f"names with commas between them, of {', '.join(GROUPS)}",
                extra_json_schema={"pattern": f"^({'|'.join(GROUPS)})(,({'|'.join(GROUPS)}))*$"},
            ),
        ]
        | None
    ) = None
    model: ModelName | None = None
    key_id: KeyId | None = None
    customer_id: CustomerId | None = None
    limit: Limit = 20
    cursor: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=4096,
                pattern=r"^[\w-]+$(?!\n)",
                description="the next_cursor of the page before",
            ),
        ]
        | None
    ) = None
    format: Format = "json"


class UsageRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="object", tag="usage_record"):
    """A request. Token counts are the model server's; null where it told none, and then `cost` is estimated.

    `cost` is null where the model has no price. Durations in milliseconds.
    """

    request_id: str
    at: Instant
    account_id: str
    key_id: str
    customer_id: str | None
    route: str
    model: str | None
    upstream: Annotated[str | None, Meta(description="the model server; not told to customers")]
    status: int
    outcome: Annotated[
        str,
        Meta(
            description="cancelled when the caller went away, failed when the model server did",
            extra_json_schema={"enum": ["complete", "cancelled", "failed"]},
        ),
    ]
    prompt_tokens: Tokens | None
    cached_tokens: Annotated[Tokens, Meta(description="those of prompt_tokens that were cached")] | None
    completion_tokens: Tokens | None
    cost: AmountText | None
    estimated: bool
    duration_ms: int
    time_to_first_token_ms: int | None


class UsageBucket(Sums, frozen=True, kw_only=True, tag_field="object", tag="usage_bucket"):
    """Usage added up, with the members that it was grouped by."""

    day: (
        Annotated[str, Meta(description="a date in UTC", extra_json_schema={"format": "date"})] | UnsetType
    ) = UNSET
    mean_duration_ms: (
        Annotated[int, Meta(ge=0, description="what a request took on average; null where there was none")]
        | None
    )
    hour: Annotated[Instant, Meta(description="when the hour begins")] | UnsetType = UNSET
    model: str | UnsetType | None = UNSET
    key_id: str | UnsetType = UNSET
    customer_id: str | UnsetType | None = UNSET


class UsagePage(Page, frozen=True, kw_only=True):
    """A page of records, newest first, or of what they add up to, in ascending order.

    `from` and `to` say which usage it is; what is added up counts by whole hours.
    """

    data: list[UsageRecord | UsageBucket]
    since: Instant = field(name="from")
    until: Instant = field(name="to")
    currency: Currency


@get("/v1/billing/usage")
async def show_usage(request: JsonRequest, services: Inside, caller: Caller) -> Response[Any]:
    """List what was used, request by request or added up; a customer's token sees its own customer's."""
    query = read_query(request, UsageQuery)
    group_by = _groups(query.group_by)
    since, until = _range(query, services.clock(), whole_hours=bool(group_by))
    async with services.database.report() as connection:
        selection = Selection(
            caller.principal.account.id,
            since,
            until,
            query.model,
            query.key_id,
            await visible_customers(connection, caller, query.customer_id),
        )
        if query.format == "json":
            page = _bucket_page(connection, selection, group_by, query) if group_by else None
            data, next_cursor = await (page or _record_page(connection, selection, query, caller))
            return answer(
                UsagePage(
                    data=data,
                    next_cursor=next_cursor,
                    since=datetime.fromtimestamp(since, UTC),
                    until=datetime.fromtimestamp(until, UTC),
                    currency=caller.principal.account.currency,
                )
            )
    if not group_by:
        rows = _all_records(services, selection, caller)
        return await csv_answer("usage", UsageRecord.__struct_fields__, rows)
    columns = (*map(_member, group_by), *Sums.__struct_fields__, "mean_duration_ms")
    return await csv_answer("usage", columns, _all_buckets(services, selection, group_by))


def _groups(wanted: str | None) -> tuple[GroupName, ...]:
    names = () if wanted is None else wanted.split(",")
    unknown = next((name for name in names if name not in GROUPS), None)
    if unknown is not None:
        raise InnoError(
            "invalid_request",
            f"group_by: {unknown!r} is no group; choose of {', '.join(GROUPS)}.",
            param="group_by",
        )
    return tuple(name for name in GROUPS if name in names)


def _range(query: UsageQuery, now: float, *, whole_hours: bool) -> tuple[float, float]:
    month_begins, _ = bounds_of(month_of(now))
    since = month_begins if query.since is None else seconds_of(query.since, "from")
    until = now if query.until is None else seconds_of(query.until, "to")
    if since >= until:
        raise InnoError(
            "invalid_request", "from: it has to be before `to`, which is now by default.", param="from"
        )
    if not whole_hours:
        return since, until
    return float(billing.hour_before(since) * HOUR), float(billing.hour_after(until) * HOUR)


def seconds_of(text: str, member: str) -> float:
    """Unix seconds; what lies outside of the years 1970 to 9999 in UTC counts as their end."""
    written = f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text
    try:
        at = msgspec.convert(written, Instant).timestamp()
    except (msgspec.ValidationError, OverflowError, ValueError):
        raise InnoError(
            "invalid_request",
            f"{member}: write an instant with its offset, such as 2026-11-24T22:07:02Z, or a date.",
            param=member,
        ) from None
    return min(max(at, 0.0), LAST_HOUR)


# Records.


async def _record_page(
    connection: AsyncConnection, selection: Selection, query: UsageQuery, caller: Admission
) -> tuple[list[UsageRecord | UsageBucket], str | None]:
    before = None if query.cursor is None else _read_cursor(query.cursor, tuple[float, CursorText])
    found = await billing.records(connection, selection, limit=query.limit + 1, before=before)
    shown, next_cursor = cut(found, query.limit, lambda record: _cursor(_place(record)))
    return [show_record(record, caller) for record in shown], next_cursor


def _place(record: usage.UsageRecord) -> tuple[float, str]:
    return record.started_at, record.request_id


def show_record(record: usage.UsageRecord, caller: Admission) -> UsageRecord:
    """The record as this caller may see it."""
    first_byte = record.first_byte_ms
    return UsageRecord(
        request_id=record.request_id,
        at=instant(record.started_at),
        account_id=record.account_id,
        key_id=record.key_id,
        customer_id=record.customer_id,
        route=record.route,
        model=record.model,
        upstream=record.upstream if caller.principal.customer is None else None,
        status=record.status,
        outcome=record.outcome,
        prompt_tokens=record.prompt_tokens,
        cached_tokens=record.cached_tokens,
        completion_tokens=record.completion_tokens,
        cost=None if record.cost is None else money.show(record.cost),
        estimated=record.estimated,
        duration_ms=round(record.duration_ms),
        time_to_first_token_ms=None if first_byte is None else round(first_byte),
    )


# Buckets.

CursorText = Annotated[str, Meta(max_length=255, pattern=r"^[^\x00]*$")]
CursorNumber = Annotated[int, Meta(ge=0, lt=2**31)]
_BUCKET_MEMBERS: dict[GroupName, str] = {"key": "key_id", "customer": "customer_id"}


async def _bucket_page(
    connection: AsyncConnection, selection: Selection, group_by: tuple[GroupName, ...], query: UsageQuery
) -> tuple[list[UsageRecord | UsageBucket], str | None]:
    after = None
    if query.cursor is not None:
        kinds = (CursorNumber if name in ("day", "hour") else CursorText for name in group_by)
        after = _read_cursor(query.cursor, tuple[tuple(kinds)])  # type: ignore[misc]
    found = await billing.buckets(connection, selection, group_by, limit=query.limit + 1, after=after)
    shown, next_cursor = cut(found, query.limit, lambda bucket: _cursor(bucket.of))
    return [_bucket(bucket, group_by) for bucket in shown], next_cursor


def _bucket(bucket: Bucket, group_by: Sequence[GroupName]) -> UsageBucket:
    members: dict[str, Any] = {}
    for name, value in zip(group_by, bucket.of, strict=True):
        if name == "day":
            members["day"] = day_of(value)
        elif name == "hour":
            members["hour"] = instant(int(value) * HOUR)
        else:
            members[_member(name)] = value or None
    requests = bucket.totals.requests
    mean = round(bucket.duration_ms / requests) if requests else None
    return UsageBucket(**members, **sums_of(bucket.totals), mean_duration_ms=mean)


def _member(name: GroupName) -> str:
    return _BUCKET_MEMBERS.get(name, name)


# Exports.


async def _all_records(
    services: Services, selection: Selection, caller: Admission
) -> AsyncIterator[list[UsageRecord]]:
    before = None
    while True:
        async with services.database.report() as connection:
            found = await billing.records(connection, selection, limit=EXPORT_PAGE, before=before)
        yield [show_record(record, caller) for record in found]
        if len(found) < EXPORT_PAGE:
            return
        before = _place(found[-1])


async def _all_buckets(
    services: Services, selection: Selection, group_by: tuple[GroupName, ...]
) -> AsyncIterator[list[UsageBucket]]:
    """Day by day where time is among the groups, so that no page adds up more than it gives."""
    parts = [selection]
    if not {"day", "hour"}.isdisjoint(group_by):
        async with services.database.report() as connection:
            parts = _days(selection, await billing.hours(connection, selection))
    for part in parts:
        after = None
        while True:
            async with services.database.report() as connection:
                found = await billing.buckets(connection, part, group_by, limit=EXPORT_PAGE, after=after)
            if found:
                yield [_bucket(bucket, group_by) for bucket in found]
            if len(found) < EXPORT_PAGE:
                break
            after = found[-1].of


def _days(selection: Selection, hours: tuple[int, int] | None) -> list[Selection]:
    """The selection in parts of a day of UTC each, given the first and the last hour that it has usage in."""
    if hours is None:
        return []
    first, last = (hour * HOUR // DAY for hour in hours)
    return [
        replace(selection, since=max(selection.since, day * DAY), until=min(selection.until, (day + 1) * DAY))
        for day in range(first, last + 1)
    ]


# Cursors: what the last row was, as JSON in base64url.


def _cursor(place: tuple[Any, ...]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode()


def _read_cursor(cursor: str, shape: Any) -> Any:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=shape)
    except (binascii.Error, msgspec.DecodeError, ValueError):
        raise InnoError(
            "invalid_request", "cursor: take next_cursor of a page of the same list.", param="cursor"
        ) from None
