"""/v1/requests: the account's requests as they are decided and finished, and its last refusals with the why.

Both are this server process's own, which they say: of several, each tells of what it answers itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from litestar import get
from litestar.response import Response, Stream
from msgspec import Meta

from innoai.access.activity import bearer_of
from innoai.access.networks import format_address
from innoai.access.routes import route_for
from innoai.activity.tail import Decided, Finished, Watcher
from innoai.api.admission import HEAD_KEY, Caller, Inside, is_still_admitted
from innoai.api.billing import KeyId
from innoai.api.credentials import ExplainedCheck
from innoai.api.services import Services
from innoai.api.usage import show_record
from innoai.api.wire import Instant, JsonRequest, Limit, Page, answer, instant, read_query
from innoai.door import Admission
from innoai.errors import InnoError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from innoai.activity.tail import Told

PATH = "/v1/requests/stream"
MOST_WATCHERS = 10
"""Streams that an account may have open at one server: each makes every request of it cost more."""
GATHER_SECONDS = 0.05
"""For how long what is told is gathered, so that a busy account is told of in a few writes."""
WAIT_SECONDS = 1.0
"""How often it is asked whether the reader may still read."""
KEEP_ALIVE_SECONDS = 15.0
_BEGUN = ": requests follow as this server process decides them\n\n"

BearerName = Annotated[
    str,
    Meta(
        description="the key itself, a token of its own, or one for a customer",
        extra_json_schema={"enum": ["key", "token", "customer"]},
    ),
]


class StreamQuery(msgspec.Struct, frozen=True):
    """Which requests to stream."""

    key_id: KeyId | None = None
    only: Annotated[Literal["refused"], Meta(description="leave out what is admitted")] | None = None


class RefusalQuery(msgspec.Struct, frozen=True):
    """Which refusals to list, newest first."""

    key_id: KeyId | None = None
    limit: Limit = 20


class DecidedRequest(msgspec.Struct, frozen=True, kw_only=True, tag_field="object", tag="decided_request"):
    """A request that was decided about, with the checks as POST /v1/auth/explain shows them."""

    request_id: str | None
    at: Instant
    key_id: str
    customer_id: str | None
    bearer: BearerName
    method: str
    path: Annotated[str, Meta(description="the row of the matrix, such as /v1/keys/{key_id}")]
    address: str | None
    model: str | None
    allowed: bool
    code: str | None
    message: str | None
    checks: list[ExplainedCheck]


class RefusalPage(Page, frozen=True, kw_only=True):
    """The last refusals of this server process, as many as it remembers."""

    data: list[DecidedRequest]


@get(PATH)
async def stream_requests(request: JsonRequest, services: Inside, caller: Caller) -> Stream:
    """Stream the account's requests from now on: `decided`, `finished`, and `lost` for what was too much."""
    query = read_query(request, StreamQuery)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    if HEAD_KEY in request.scope:
        return Stream(_nothing(), media_type="text/event-stream", headers=headers)
    tail = services.door.tail
    watcher = Watcher(caller.principal.account.id, query.key_id, only_refused=query.only == "refused")
    if tail.watchers_of(watcher.account_id) >= MOST_WATCHERS:
        raise InnoError(
            "conflict",
            f"The account has {MOST_WATCHERS} of these streams open at this server, as many as there may be. "
            "Close one.",
        )
    told = _stream(request, services, caller, watcher)
    # It watches from now on, not from when the answer begins: until then others would find room as well.
    await anext(told)
    return Stream(told, media_type="text/event-stream", headers=headers)


@get("/v1/requests/refusals")
async def list_refusals(request: JsonRequest, services: Inside, caller: Caller) -> Response[bytes]:
    """List the account's last refusals, newest first, with the checks that led to them."""
    query = read_query(request, RefusalQuery)
    shown = [
        show_decided(decided)
        for decided in services.door.tail.refusals(caller.principal.account.id)
        if query.key_id is None or _key_id(decided) == query.key_id
    ]
    return answer(RefusalPage(data=shown[: query.limit], next_cursor=None))


async def _nothing() -> AsyncIterator[str]:
    """What a HEAD is told."""
    yield ""


async def _stream(
    request: JsonRequest, services: Services, caller: Admission, watcher: Watcher
) -> AsyncIterator[str]:
    """What is sent until the credential is refused, the server stops, or nobody reads any more.

    First comes nothing: whoever takes that has begun to watch.
    """
    row = route_for("GET", PATH)
    services.door.tail.watch(watcher)
    try:
        yield ""
        yield _BEGUN
        said_at = time.monotonic()
        with contextlib.suppress(InnoError):
            while not services.stopping.is_set() and await is_still_admitted(request, services, row):
                told, lost = watcher.take()
                text = "".join([_event(one, caller) for one in told])
                if lost:
                    text += f'event: lost\ndata: {{"count":{lost}}}\n\n'
                if not text and time.monotonic() - said_at >= KEEP_ALIVE_SECONDS:
                    text = ": still here\n\n"
                if text:
                    yield text
                    said_at = time.monotonic()
                await watcher.wait(WAIT_SECONDS)
                await asyncio.sleep(GATHER_SECONDS)
    finally:
        services.door.tail.leave(watcher)


def _event(told: Told, caller: Admission) -> str:
    if isinstance(told, Finished):
        return f"event: finished\ndata: {msgspec.json.encode(show_record(told.record, caller)).decode()}\n\n"
    return f"event: decided\ndata: {msgspec.json.encode(show_decided(told)).decode()}\n\n"


def _key_id(decided: Decided) -> str | None:
    principal = decided.decision.principal
    return None if principal is None else principal.key.id


def show_decided(decided: Decided) -> DecidedRequest:
    """The decision as answers and streams show it."""
    decision = decided.decision
    principal, request, refused = decision.principal, decision.request, decision.refusal
    if principal is None:
        raise InnoError("internal_error")
    return DecidedRequest(
        request_id=request.request_id,
        at=instant(decided.at),
        key_id=principal.key.id,
        customer_id=None if principal.customer is None else principal.customer.customer_id,
        bearer=bearer_of(principal),
        method=request.route.method,
        path=request.route.path,
        address=None if request.address is None else format_address(request.address),
        model=request.model,
        allowed=decision.allowed,
        code=None if refused is None else refused.code,
        message=None if refused is None else refused.message,
        checks=[ExplainedCheck(*check) for check in decision.checks],
    )
