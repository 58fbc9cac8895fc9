"""/v1/keys/{key_id}/activity, /advice and /preview: what a key did, and what it could do without.

All of it is read from sums by hour; what this server has counted and not yet written is added first.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import msgspec
from litestar import Response, get, post
from msgspec import UNSET, Meta, UnsetType, field

from innoai.access import advice
from innoai.access.activity import ALLOWED, Seen, parse_place, place_text
from innoai.access.advice import Change
from innoai.access.networks import parse_networks
from innoai.access.routes import route_for
from innoai.access.scopes import LEVELS, in_order, scope_set
from innoai.access.tiers import effective_models, effective_rate_limit
from innoai.api.admission import Caller, Inside
from innoai.api.billing import DAY
from innoai.api.keys import (
    ChangeKey,
    ModelNames,
    Networks,
    Scopes,
    changed_values,
    keep_admin_from_customers,
    own_key,
)
from innoai.api.objects import Level, Scope
from innoai.api.rates import RateLimit
from innoai.api.services import Services
from innoai.api.usage import When, seconds_of
from innoai.api.wire import Instant, JsonRequest, answer, instant, read_body, read_query
from innoai.door import Admission
from innoai.errors import ERRORS, InnoError
from innoai.store import activity
from innoai.store.billing import hour_after, hour_before
from innoai.store.usage import HOUR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from innoai.access.principal import Principal
    from innoai.access.tiers import Tier
    from innoai.store.activity import Row
    from innoai.store.api_keys import KeyRecord

K = TypeVar("K")

DEFAULT_DAYS = 30
MOST_DAYS = 400
MOST_SHOWN = 100
"""Routes, addresses, models and kinds of refusals that are listed: those with the most requests."""

Count = Annotated[int, Meta(ge=0)]
Days = Annotated[
    int, Meta(ge=1, le=MOST_DAYS, description="days up to now, as far as activity is kept for that long")
]
Address = Annotated[
    str,
    Meta(description="an address, the network of many, or `other`; null where nobody could tell"),
]
VerdictName = Annotated[
    str,
    Meta(
        description=(
            "keep: it fits; narrow: something could go; unused: nothing was done that it is about; "
            "unknown: the record does not tell"
        ),
        extra_json_schema={"enum": ["keep", "narrow", "unused", "unknown"]},
    ),
]


class ActivityQuery(msgspec.Struct, frozen=True):
    """Of which time; by default of the last seven days."""

    since: Annotated[When, Meta(description="from then on; an instant or a date")] | None = field(
        default=None, name="from"
    )
    until: Annotated[When, Meta(description="before then; an instant or a date")] | None = field(
        default=None, name="to"
    )


class AdviceQuery(msgspec.Struct, frozen=True):
    """What the advice rests on."""

    days: Days = DEFAULT_DAYS


class HourOfKey(msgspec.Struct, frozen=True):
    """An hour in which the key was used, or refused."""

    hour: Annotated[Instant, Meta(description="when the hour begins")]
    allowed: Count
    refused: Count


class RouteOfKey(msgspec.Struct, frozen=True):
    """A route that the key asked for; `required_scope` is what another service asked for beside it."""

    method: str
    path: str
    scope: Scope | None
    required_scope: Scope | None
    allowed: Count
    refused: Count
    last_at: Instant


class AddressOfKey(msgspec.Struct, frozen=True):
    """Where the key was called from."""

    address: Address | None
    allowed: Count
    refused: Count
    last_at: Instant


class ModelOfKey(msgspec.Struct, frozen=True):
    """A model that the key asked for; `other` stands for all beyond a few dozen an hour."""

    model: str
    allowed: Count
    refused: Count
    last_at: Instant


class RefusalOfKey(msgspec.Struct, frozen=True):
    """Requests that were refused alike."""

    code: str
    message: Annotated[str, Meta(description="what the code means")]
    method: str
    path: str
    required_scope: Scope | None
    address: Address | None
    model: str | None
    requests: Count
    last_at: Instant


class KeyActivity(msgspec.Struct, frozen=True, kw_only=True):
    """What a key did from `from` to before `to`, by whole hours; those with the most requests come first."""

    object: Literal["key_activity"] = "key_activity"
    key_id: str
    since: Instant = field(name="from")
    until: Instant = field(name="to")
    kept_days: Annotated[int, Meta(ge=0, description="for how long activity is kept; 0 is not at all")]
    allowed: Count
    refused: Count
    peak_minute: Annotated[Count, Meta(description="requests of the busiest minute")] | None
    hours: list[HourOfKey]
    routes: list[RouteOfKey]
    addresses: list[AddressOfKey]
    models: list[ModelOfKey]
    refusals: list[RefusalOfKey]


class Part(msgspec.Struct, frozen=True):
    """What of a bound was used, what was not, and what would do instead, null where nothing is advised."""

    verdict: VerdictName
    used: list[str]
    unused: list[str]
    advised: list[str] | None


class RatePart(msgspec.Struct, frozen=True):
    """The rate limit, the busiest minute on record, and a limit that leaves it room."""

    verdict: VerdictName
    current: int
    peak_minute: Count | None
    advised: int | None


class AdvisedChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """What to send to PATCH /v1/keys/{key_id}."""

    scopes: list[Scope] | UnsetType = UNSET
    allowed_ips: list[str] | UnsetType = UNSET
    models: list[str] | UnsetType = UNSET
    rate_limit: int | UnsetType = UNSET


class KeyAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """What a key may do beyond what it did. `would_refuse`: admitted requests that `change` would refuse."""

    object: Literal["key_advice"] = "key_advice"
    key_id: str
    days: int
    kept_days: int
    requests: Annotated[Count, Meta(description="admitted requests that it rests on")]
    last_at: Instant | None
    scopes: Part
    allowed_ips: Part
    models: Part
    rate_limit: RatePart
    change: Annotated[AdvisedChange | None, Meta(description="null where nothing is advised")]
    would_refuse: Count


class PreviewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change to try on what the key did; null removes a restriction. A level is added to the scopes."""

    scopes: Scopes | UnsetType = UNSET
    level: Level | UnsetType = UNSET
    allowed_ips: Networks | UnsetType | None = UNSET
    rate_limit: RateLimit | UnsetType | None = UNSET
    expires_at: Instant | UnsetType | None = UNSET
    models: ModelNames | UnsetType | None = UNSET
    days: Days = DEFAULT_DAYS


class Example(msgspec.Struct, frozen=True):
    """Requests that were alike."""

    method: str
    path: str
    address: Address | None
    model: str | None
    requests: Count
    last_at: Instant


class Difference(msgspec.Struct, frozen=True):
    """Requests to which the change makes one difference. `check` and `message`: of the new refusal."""

    code: str
    check: str | None
    message: str | None
    required_scope: Scope | None
    requests: Count
    examples: list[Example]


class RatePreview(msgspec.Struct, frozen=True):
    """What the limit would have met: `hours_above` had a minute with more requests than it."""

    limit: int
    peak_minute: Count | None
    hours_above: Count


class KeyPreview(msgspec.Struct, frozen=True, kw_only=True):
    """What difference a change would have made to what the key did.

    `requests` were admitted; `refused` of them would not have been, and `let_in` that were refused would
    have been admitted. Of `uncertain` requests too little is on record. `outdated` ones would be refused as
    the key is now, with the change or without it. Budgets are left out.
    """

    object: Literal["key_preview"] = "key_preview"
    key_id: str
    days: int
    kept_days: int
    requests: Count
    refused: Count
    let_in: Count
    uncertain: Count
    outdated: Count
    reasons: Annotated[list[Difference], Meta(description="why they would have been refused")]
    admissions: Annotated[list[Difference], Meta(description="with which codes they were refused")]
    rate: Annotated[RatePreview | None, Meta(description="where the change sets a rate limit")]


@get("/v1/keys/{key_id:str}/activity")
async def show_activity(
    key_id: str, request: JsonRequest, services: Inside, caller: Caller
) -> Response[bytes]:
    """Say what a key did: by hour, route, address and model, and what it was refused."""
    query = read_query(request, ActivityQuery)
    since, until = _range(query, services.clock())
    await services.door.counts.flush()
    async with services.database.report() as connection:
        record = await own_key(connection, key_id, caller)
        where = record.account_id, record.id, since, until
        rows = await activity.of_key(connection, *where)
        by_hour = await activity.by_hour(connection, *where)
        peaks = await activity.peaks(connection, *where)
    return answer(
        KeyActivity(
            key_id=key_id,
            since=instant(since * HOUR),
            until=instant(until * HOUR),
            kept_days=services.settings.activity.keep_days,
            allowed=sum(row.requests for row in rows if row.code == ALLOWED),
            refused=sum(row.requests for row in rows if row.code != ALLOWED),
            peak_minute=max(peaks, default=None),
            hours=_hours(by_hour),
            routes=[
                RouteOfKey(method, path, _scope_of(method, path), scope or None, *counts)
                for (method, path, scope), counts in _summed(
                    rows, lambda row: (row.method, row.path, row.required_scope)
                )
            ],
            addresses=[
                AddressOfKey(place or None, *counts) for place, counts in _summed(rows, lambda row: row.place)
            ],
            models=[
                ModelOfKey(model, *counts)
                for model, counts in _summed([row for row in rows if row.model], lambda row: row.model)
            ],
            refusals=[_refusal(row) for row in _most(row for row in rows if row.code != ALLOWED)],
        )
    )


@get("/v1/keys/{key_id:str}/advice")
async def give_advice(key_id: str, request: JsonRequest, services: Inside, caller: Caller) -> Response[bytes]:
    """Say what could be taken away from a key without refusing anything that it did."""
    days = read_query(request, AdviceQuery).days
    since, until = _last(days, services.clock())
    principal, record, (rows, peaks) = await _recorded(services, caller, key_id, since, until, ())
    seen = _seen(rows)
    found = advice.advise(principal.key, seen, max(peaks, default=None))
    replayed = advice.replay(principal, found.change, seen, services.settings.models.__contains__)
    used = [row.last_at for row in seen if row.allowed]
    return answer(
        KeyAdvice(
            key_id=record.id,
            days=days,
            kept_days=services.settings.activity.keep_days,
            requests=found.requests,
            last_at=instant(max(used, default=None)),
            scopes=_part(found.scopes),
            allowed_ips=_part(found.networks),
            models=_part(found.models),
            rate_limit=RatePart(
                found.rate.verdict, principal.key.rate_limit, found.rate.peak_minute, found.rate.advised
            ),
            change=None if found.change.is_empty else _advised(found.change),
            would_refuse=replayed.refusals,
        )
    )


@post("/v1/keys/{key_id:str}/preview", status_code=200)
async def preview_change(
    key_id: str, request: JsonRequest, services: Inside, caller: Caller
) -> Response[bytes]:
    """Say what a change to a key would have refused, without making it."""
    wanted = await read_body(request, PreviewKey)
    tier = services.tiers[caller.principal.account.tier]
    values = changed_values(_as_change(wanted), tier)
    change = _change(values, tier)
    since, until = _last(wanted.days, services.clock())
    # What came before an expiry and what came behind it are told apart.
    ends = (change.expires_at,) if isinstance(change.expires_at, float) else ()
    principal, record, (rows, peaks) = await _recorded(services, caller, key_id, since, until, ends)
    keep_admin_from_customers(values.get("scopes", ()), record.customer_id)
    found = advice.replay(principal, change, _seen(rows), services.settings.models.__contains__)
    rate = None
    if isinstance(change.rate_limit, int):
        limit = change.rate_limit
        rate = RatePreview(limit, max(peaks, default=None), sum(peak > limit for peak in peaks))
    return answer(
        KeyPreview(
            key_id=record.id,
            days=wanted.days,
            kept_days=services.settings.activity.keep_days,
            requests=found.requests,
            refused=found.refusals,
            let_in=sum(reason.requests for reason in found.admitted),
            uncertain=found.uncertain,
            outdated=found.outdated,
            reasons=[_difference(reason) for reason in found.refused],
            admissions=[_difference(reason) for reason in found.admitted],
            rate=rate,
        )
    )


# What is on record.


async def _recorded(
    services: Services, caller: Admission, key_id: str, since: int, until: int, ends: Sequence[float]
) -> tuple[Principal, KeyRecord, tuple[list[Row], list[int]]]:
    """The key, what it did (before and behind each of `ends` apart), and its busiest minutes."""
    await services.door.counts.flush()
    async with services.database.report() as connection:
        record = await own_key(connection, key_id, caller)
        where = record.account_id, record.id
        marks = sorted({since, until, *(min(max(hour_before(end), since), until) for end in ends)})
        rows: list[Row] = []
        for first, last in pairwise(marks):
            rows += await activity.of_key(connection, *where, first, last)
        peaks = await activity.peaks(connection, *where, since, until)
    principal = await services.keyring.key(record.id)
    if principal is None:
        raise InnoError("service_unavailable")
    return principal, record, (rows, peaks)


def _seen(rows: Iterable[Row]) -> list[Seen]:
    """The rows as the rules take them; those of routes that this version does not have are left out."""
    seen = []
    for row in rows:
        try:
            route = route_for(row.method, row.path)
        except KeyError:
            continue
        seen.append(
            Seen(
                route,
                parse_place(row.place),
                row.code,
                row.requests,
                row.last_at,
                row.model or None,
                row.required_scope or None,
                row.bearer,  # type: ignore[arg-type]
            )
        )
    return seen


def _range(query: ActivityQuery, now: float) -> tuple[int, int]:
    """The first hour, and the one behind the last."""
    until = now if query.until is None else seconds_of(query.until, "to")
    since = until - 7 * DAY if query.since is None else seconds_of(query.since, "from")
    if since >= until:
        raise InnoError(
            "invalid_request", "from: it has to be before `to`, which is now by default.", param="from"
        )
    return hour_before(max(since, 0.0)), hour_after(until)


def _last(days: int, now: float) -> tuple[int, int]:
    return hour_before(now - days * DAY), hour_before(now) + 1


# A change, from the wire to the rules and back.


def _as_change(wanted: PreviewKey) -> ChangeKey:
    scopes = wanted.scopes
    if wanted.level is not UNSET:
        scopes = [*LEVELS[wanted.level], *(() if scopes is UNSET else scopes)]
    return ChangeKey(
        scopes=scopes,
        allowed_ips=wanted.allowed_ips,
        rate_limit=wanted.rate_limit,
        expires_at=wanted.expires_at,
        models=wanted.models,
    )


def _change(values: dict[str, Any], tier: Tier) -> Change:
    return Change(
        scopes=scope_set(values["scopes"]) if "scopes" in values else UNSET,
        networks=parse_networks(values["allowed_ips"]) if "allowed_ips" in values else UNSET,
        models=effective_models(values["models"], tier) if "models" in values else UNSET,
        rate_limit=effective_rate_limit(values["rate_limit"], tier) if "rate_limit" in values else UNSET,
        expires_at=values.get("expires_at", UNSET),
    )


def _advised(change: Change) -> AdvisedChange:
    return AdvisedChange(
        scopes=UNSET if change.scopes is UNSET else list(in_order(change.scopes)),
        allowed_ips=UNSET if change.networks is UNSET else list(change.networks.texts()),
        models=UNSET if change.models is UNSET or change.models is None else sorted(change.models),
        rate_limit=change.rate_limit,
    )


# Showing.


def _hours(by_hour: Iterable[tuple[int, str, int]]) -> list[HourOfKey]:
    counted: dict[int, list[int]] = {}
    for hour, code, requests in by_hour:
        counted.setdefault(hour, [0, 0])[code != ALLOWED] += requests
    return [HourOfKey(instant(hour * HOUR), *counts) for hour, counts in counted.items()]


def _summed(rows: Iterable[Row], of: Callable[[Row], K]) -> list[tuple[K, tuple[int, int, datetime]]]:
    """What was allowed and refused of each, and when the last of it was; the most requests first."""
    counted: dict[K, list[float]] = {}
    for row in rows:
        counts = counted.setdefault(of(row), [0, 0, 0.0])
        counts[row.code != ALLOWED] += row.requests
        counts[2] = max(counts[2], row.last_at)
    most = sorted(counted.items(), key=lambda item: -(item[1][0] + item[1][1]))[:MOST_SHOWN]
    return [(one, (int(allowed), int(refused), instant(at))) for one, (allowed, refused, at) in most]


def _most(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (-row.requests, -row.last_at))[:MOST_SHOWN]


def _scope_of(method: str, path: str) -> str | None:
    try:
        return route_for(method, path).scope
    except KeyError:
        return None


def _refusal(row: Row) -> RefusalOfKey:
    return RefusalOfKey(
        row.code,
        ERRORS[row.code].message if row.code in ERRORS else row.code,
        row.method,
        row.path,
        row.required_scope or _scope_of(row.method, row.path),
        row.place or None,
        row.model or None,
        row.requests,
        instant(row.last_at),
    )


def _part(found: advice.Part) -> Part:
    advised = None if found.advised is None else list(found.advised)
    return Part(found.verdict, list(found.used), list(found.unused), advised)


def _difference(reason: advice.Reason) -> Difference:
    return Difference(
        reason.code,
        reason.check,
        reason.message,
        reason.required_scope,
        reason.requests,
        [
            Example(
                row.route.method,
                row.route.path,
                place_text(row.place) or None,
                row.model,
                row.requests,
                instant(row.last_at),
            )
            for row in reason.examples
        ],
    )
