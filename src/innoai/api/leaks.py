"""/v1/keys/leaks: a text in which keys stand that should not stand there, such as a log or a public page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from litestar import Response, post
from msgspec import Meta

from innoai.access import keys as key_format
from innoai.api import revocations
from innoai.api.actors import actor_of
from innoai.api.admission import Caller, Inside
from innoai.api.objects import Key, key_now
from innoai.api.wire import IN_WORDS, PRINTABLE, JsonRequest, answer, read_body
from innoai.events import journal
from innoai.store import accounts, api_keys

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.access.tiers import Tier
    from innoai.events.journal import Actor

MAX_TEXT = 256 * 1024
MAX_KEYS = 100
"""Keys of one text that are looked up; who has more of them sends the rest once more."""


class ReportLeak(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text to look for keys in. Neither it nor a key of it is kept."""

    text: Annotated[str, Meta(min_length=1, max_length=MAX_TEXT, description="in which keys may stand")]
    source: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=500,
                pattern=PRINTABLE,
                extra=IN_WORDS,
                description="where it was found, for the audit log",
            ),
        ]
        | None
    ) = None
    revoke: Annotated[bool, Meta(description="whether the account's keys among them are revoked")] = False


class LeakReport(msgspec.Struct, frozen=True, kw_only=True):
    """The account's keys in the text. `others`: how many whole keys in it are not the account's."""

    object: Literal["leak_report"] = "leak_report"
    keys: list[Key]
    others: Annotated[int, Meta(ge=0)]


@post("/v1/keys/leaks", status_code=200)
async def report_leak(request: JsonRequest, services: Inside, caller: Caller) -> Response[bytes]:
    """Find the account's keys in a text, put on record that they leaked, and revoke them if wanted."""
    wanted = await read_body(request, ReportLeak)
    account = caller.principal.account
    found = key_format.find(wanted.text)[:MAX_KEYS]
    actor, tier = actor_of(request, caller), services.tiers[account.tier]
    async with services.database.write() as connection:
        await accounts.lock(connection, account.id)
        records = [
            await api_keys.find_by_digest(connection, services.secrets.digests(secret)) for secret in found
        ]
        own = [record.id for record in records if record is not None and record.account_id == account.id]
        shown = await _put_on_record(connection, account.id, own, wanted, tier, actor, services.clock())
    await services.heed_changes()
    return answer(LeakReport(keys=[shown[key_id] for key_id in own], others=len(found) - len(own)))


async def _put_on_record(
    connection: AsyncConnection,
    account_id: str,
    key_ids: list[str],
    wanted: ReportLeak,
    tier: Tier,
    actor: Actor,
    now: float,
) -> dict[str, Key]:
    """Record the leak of each of these keys, and its end if that is wanted; gives them as they are then."""
    held = await api_keys.hold(connection, account_id, key_ids)
    # All before the first entry of the audit log: innoai.store has the order of locks.
    ended = {key.id for key in held if wanted.revoke and await api_keys.revoke(connection, key.id, now)}
    shown: dict[str, Key] = {}
    for key in held:
        await journal.record(
            connection,
            account_id,
            "key.leak_reported",
            actor=actor,
            now=now,
            target_id=key.id,
            after={"source": wanted.source, "revoke": wanted.revoke},
        )
        if key.id in ended:
            await revocations.record(connection, key, tier, actor, now)
        left = replace(key, revoked_at=now) if key.id in ended else key
        shown[key.id] = await key_now(connection, left, tier, now)
    return shown
