"""/v1/audit: what was done in the account, by whom, and from where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from litestar import Response, get
from litestar.response import Stream
from msgspec import Meta, field

from innoai.api.admission import Caller, Inside
from innoai.api.services import Services
from innoai.api.usage import When, seconds_of
from innoai.api.wire import Instant, JsonRequest, Limit, Page, answer, cut, read_query
from innoai.errors import InnoError
from innoai.events.actions import ACTIONS
from innoai.store import audit
from innoai.store.audit import Wanted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

JSONL = "application/jsonl"
EXPORT_PAGE = 500
"""Entries that an export reads at a time."""

_ACTIONS = sorted({"*", *ACTIONS, *(f"{name.rpartition('.')[0]}.*" for name in ACTIONS)})

Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="SHA-256 as hexadecimal digits")]


class AuditQuery(msgspec.Struct, frozen=True):
    """Which entries to show, newest first; as jsonl all of them, oldest first."""

    action: (
        Annotated[
            str,
            Meta(
                max_length=64,
                pattern=r"^(\*|[a-z_]+(\.[a-z_]+)*(\.\*)?)$(?!\n)",
                description="such as key.created or key.*",
                extra={"expected": "an action such as key.created, or a pattern such as key.*"},
                extra_json_schema={"enum": _ACTIONS},
            ),
        ]
        | None
    ) = None
    actor_id: (
        Annotated[
            str,
            Meta(
                max_length=64,
                pattern=r"^[0-9A-Za-z_.]+$(?!\n)",
                description="of a key, whose tokens count as well, a token (its jti), or a member",
                extra={"expected": "the id of a key, a token or a member"},
            ),
        ]
        | None
    ) = None
    target_id: (
        Annotated[
            str, Meta(max_length=160, pattern=r"^[^\x00]+$", description="the id of what it was done to")
        ]
        | None
    ) = None
    since: Annotated[When, Meta(description="from then on; an instant or a date")] | None = field(
        default=None, name="from"
    )
    until: Annotated[When, Meta(description="before then; an instant or a date")] | None = field(
        default=None, name="to"
    )
    limit: Limit = 20
    cursor: (
        Annotated[
            str, Meta(pattern=r"^[1-9][0-9]{0,17}$(?!\n)", description="the next_cursor of the page before")
        ]
        | None
    ) = None
    format: Literal["json", "jsonl"] = "json"


class AuditActor(msgspec.Struct, frozen=True):
    """Who did it. Of a token `id` is the jti, and `key_id` the key that it came from."""

    kind: Literal["key", "token", "member", "operator", "system", "anonymous"]
    id: str | None
    key_id: str | None
    customer_id: Annotated[str | None, Meta(description="the customer whose credential it is")]


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What was done. `hash` covers all other members, and `previous_hash` is the entry's before it."""

    id: str
    object: Literal["audit_entry"] = "audit_entry"
    sequence: int
    at: Instant
    actor: AuditActor
    action: str
    target_id: str | None
    address: str | None
    request_id: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    previous_hash: Hash
    hash: Hash


class AuditHead(msgspec.Struct, frozen=True):
    """The account's latest entry; sequence 0 and a hash of zeros before the first."""

    sequence: int
    hash: Hash


class AuditPage(Page, frozen=True, kw_only=True):
    """A page of entries, and how far the account's log has got."""

    data: list[AuditEntry]
    head: AuditHead


class _WrittenPage(Page, frozen=True, kw_only=True):
    """The same with entries in the text that was hashed."""

    data: list[msgspec.Raw]
    head: AuditHead


@get("/v1/audit")
async def show_log(request: JsonRequest, services: Inside, caller: Caller) -> Response[Any]:
    """Show the audit log, newest first, or export it as one entry a line."""
    query = read_query(request, AuditQuery)
    if query.action is not None and query.action not in _ACTIONS:
        # It would read as one that never happened.
        message = f"action: there is no {query.action}. One is key.created, and key.* are several."
        raise InnoError("invalid_request", message, param="action")
    account_id = caller.principal.account.id
    wanted = Wanted(
        action=query.action,
        actor_id=query.actor_id,
        target_id=query.target_id,
        since=None if query.since is None else seconds_of(query.since, "from"),
        until=None if query.until is None else seconds_of(query.until, "to"),
    )
    async with services.database.read() as connection:
        head = await audit.head(connection, account_id)
        if query.format == "jsonl":
            return _export(services, account_id, wanted, head.sequence)
        before = None if query.cursor is None else int(query.cursor)
        found = await audit.page(connection, account_id, wanted, limit=query.limit + 1, before=before)
    shown, next_cursor = cut(found, query.limit, lambda entry: str(entry.sequence))
    return answer(
        _WrittenPage(
            data=[msgspec.Raw(entry.shown().encode()) for entry in shown],
            next_cursor=next_cursor,
            head=AuditHead(head.sequence, head.hash),
        )
    )


def _export(services: Services, account_id: str, wanted: Wanted, upto: int) -> Stream:
    headers = {"cache-control": "no-store", "content-disposition": 'attachment; filename="audit.jsonl"'}
    return Stream(_lines(services, account_id, wanted, upto), media_type=JSONL, headers=headers)


async def _lines(services: Services, account_id: str, wanted: Wanted, upto: int) -> AsyncIterator[str]:
    """Entries up to the one that was the latest when the export began, read in pages while they are sent."""
    after = 0
    while True:
        async with services.database.read() as connection:
            found = await audit.following(
                connection, account_id, wanted, limit=EXPORT_PAGE, after=after, upto=upto
            )
        for entry in found:
            yield entry.shown() + "\n"
        if len(found) < EXPORT_PAGE:
            return
        after = found[-1].sequence
