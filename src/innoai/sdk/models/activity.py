"""What keys did and could do without, and requests as they happen."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (pydantic reads it)
from typing import Literal

from openai import BaseModel
from pydantic import Field

from innoai.sdk.models.auth import Check  # noqa: TC001


class ActivityHour(BaseModel):
    """An hour in which the key was used, or refused."""

    hour: datetime
    allowed: int
    refused: int


class RouteActivity(BaseModel):
    """A route that the key asked for. required_scope: what another service asked for beside it."""

    method: str
    path: str
    scope: str | None
    required_scope: str | None
    allowed: int
    refused: int
    last_at: datetime


class AddressActivity(BaseModel):
    """Where the key was called from: an address, the network of many, or `other`."""

    address: str | None
    allowed: int
    refused: int
    last_at: datetime


class ModelActivity(BaseModel):
    """A model that the key asked for."""

    model: str
    allowed: int
    refused: int
    last_at: datetime


class RefusalActivity(BaseModel):
    """Requests that were refused alike."""

    code: str
    message: str
    method: str
    path: str
    required_scope: str | None
    address: str | None
    model: str | None
    requests: int
    last_at: datetime


class KeyActivity(BaseModel):
    """What a key did in whole hours. peak_minute: requests of the busiest minute."""

    object: Literal["key_activity"]
    key_id: str
    from_: datetime = Field(alias="from")
    to: datetime
    kept_days: int
    allowed: int
    refused: int
    peak_minute: int | None
    hours: list[ActivityHour]
    routes: list[RouteActivity]
    addresses: list[AddressActivity]
    models: list[ModelActivity]
    refusals: list[RefusalActivity]


Verdict = Literal["keep", "narrow", "unused", "unknown"]


class AdvicePart(BaseModel):
    """What of a bound was used, what was not, and what would do instead; None where nothing is advised."""

    verdict: Verdict
    used: list[str]
    unused: list[str]
    advised: list[str] | None


class RateAdvice(BaseModel):
    """The limit, the busiest minute, and a limit that leaves it room, all in requests a minute."""

    verdict: Verdict
    current: int
    peak_minute: int | None
    advised: int | None


class AdvisedChange(BaseModel):
    """What to give to `keys.update`; None stays as it is."""

    scopes: list[str] | None = None
    allowed_ips: list[str] | None = None
    models: list[str] | None = None
    rate_limit: int | None = None


class KeyAdvice(BaseModel):
    """What a key may do beyond what it did. would_refuse: admitted requests that `change` would refuse."""

    object: Literal["key_advice"]
    key_id: str
    days: int
    kept_days: int
    requests: int
    last_at: datetime | None
    scopes: AdvicePart
    allowed_ips: AdvicePart
    models: AdvicePart
    rate_limit: RateAdvice
    change: AdvisedChange | None
    would_refuse: int


class PreviewExample(BaseModel):
    """Requests that were alike."""

    method: str
    path: str
    address: str | None
    model: str | None
    requests: int
    last_at: datetime


class Difference(BaseModel):
    """Requests to which the change makes one difference. check, message: of the new refusal."""

    code: str
    check: str | None
    message: str | None
    required_scope: str | None
    requests: int
    examples: list[PreviewExample]


class RatePreview(BaseModel):
    """What the limit would have met. hours_above: hours that had a minute with more requests."""

    limit: int
    peak_minute: int | None
    hours_above: int


class KeyPreview(BaseModel):
    """What difference a change would have made to what the key did.

    Of `requests`, which were admitted, `refused` would not have been. let_in: others that would. uncertain:
    too little is on record. outdated: refused as the key is now, with the change or without it.
    """

    object: Literal["key_preview"]
    key_id: str
    days: int
    kept_days: int
    requests: int
    refused: int
    let_in: int
    uncertain: int
    outdated: int
    reasons: list[Difference]
    admissions: list[Difference]
    rate: RatePreview | None


class DecidedRequest(BaseModel):
    """A request that was decided about, check by check."""

    object: Literal["decided_request"]
    request_id: str | None
    at: datetime
    key_id: str
    customer_id: str | None
    bearer: Literal["key", "token", "customer"]
    method: str
    path: str
    address: str | None
    model: str | None
    allowed: bool
    code: str | None
    message: str | None
    checks: list[Check]


class LostRequests(BaseModel):
    """So many lines of a stream were lost, as they were not read in time."""

    count: int
