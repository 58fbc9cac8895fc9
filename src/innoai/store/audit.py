"""The audit log: one chain of hashes an account, so that a changed, removed or inserted entry shows.

An entry's hash covers its content, and its content names the hash before it. Writers of one account
take their turn at its row in audit_heads, in the transaction of what they record.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from innoai.store.tables import audit_entries, audit_heads
from innoai.store.upsert import insert_into

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection

BEGINNING = "0" * 64
"""What the first entry of an account names as the hash before it."""


@dataclass(frozen=True, slots=True)
class Head:
    """The number and the hash of an account's latest entry; 0 and BEGINNING when there is none."""

    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """An entry: its number in the account's chain, the JSON text that was hashed, and the hash."""

    sequence: int
    content: str
    hash: str

    def shown(self) -> str:
        """The entry as JSON with its hash. Its own text goes in unread, so that it can be verified."""
        return f'{self.content[:-1]},"hash":"{self.hash}"}}'


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries to find. Instants in Unix seconds, `until` not included.

    `action`: a name, or the beginning of names and `*`. `actor_id`: a key's, which finds what its tokens
    did as well, a token's or a member's.
    """

    action: str | None = None
    actor_id: str | None = None
    target_id: str | None = None
    since: float | None = None
    until: float | None = None


async def append(connection: AsyncConnection, account_id: str, entry: Mapping[str, Any], at: float) -> None:
    """Add an entry at the end of the account's chain.

    `entry` is what the log shows, without sequence and hashes: `id`, `at`, `actor`, `action`, `target_id`
    and whatever else is to be kept, as JSON values. It comes last in a transaction: `innoai.store` has
    the order of locks.
    """
    head = {"account_id": account_id, "sequence": 0, "hash": BEGINNING}
    await connection.execute(insert_into(connection, audit_heads).values(**head).on_conflict_do_nothing())
    own = audit_heads.c.account_id == account_id
    advanced = update(audit_heads).where(own).values(sequence=audit_heads.c.sequence + 1)
    reached = (await connection.execute(advanced.returning(audit_heads.c.sequence, audit_heads.c.hash))).one()
    content = canonical({**entry, "sequence": reached.sequence, "previous_hash": reached.hash})
    digest = hashlib.sha256(content.encode()).hexdigest()
    await connection.execute(
        insert(audit_entries).values(
            account_id=account_id,
            sequence=reached.sequence,
            id=entry["id"],
            at=at,
            actor_id=entry["actor"]["id"],
            key_id=entry["actor"]["key_id"],
            action=entry["action"],
            target_id=entry["target_id"],
            content=content,
            previous_hash=reached.hash,
            hash=digest,
        )
    )
    await connection.execute(update(audit_heads).where(own).values(hash=digest))


async def head(connection: AsyncConnection, account_id: str) -> Head:
    """Where the account's chain has got to."""
    query = select(audit_heads.c.sequence, audit_heads.c.hash).where(audit_heads.c.account_id == account_id)
    row = (await connection.execute(query)).one_or_none()
    return Head(0, BEGINNING) if row is None else Head(*row)


async def page(
    connection: AsyncConnection, account_id: str, wanted: Wanted, *, limit: int, before: int | None
) -> list[EntryRecord]:
    """At most `limit` of the entries, newest first, those before the number `before`."""
    query = _found(account_id, wanted).order_by(audit_entries.c.sequence.desc())
    if before is not None:
        query = query.where(audit_entries.c.sequence < before)
    return [EntryRecord(*row) for row in (await connection.execute(query.limit(limit))).all()]


async def following(
    connection: AsyncConnection, account_id: str, wanted: Wanted, *, limit: int, after: int, upto: int
) -> list[EntryRecord]:
    """At most `limit` of the entries, oldest first, those after the number `after` and up to `upto`."""
    query = _found(account_id, wanted).order_by(audit_entries.c.sequence)
    query = query.where(audit_entries.c.sequence > after, audit_entries.c.sequence <= upto)
    return [EntryRecord(*row) for row in (await connection.execute(query.limit(limit))).all()]


def _found(account_id: str, wanted: Wanted) -> Select[Any]:
    columns = audit_entries.c
    query = select(columns.sequence, columns.content, columns.hash).where(columns.account_id == account_id)
    if wanted.action is not None:
        prefix = wanted.action.removesuffix("*")
        is_prefix = prefix != wanted.action
        query = query.where(
            columns.action.startswith(prefix, autoescape=True) if is_prefix else columns.action == prefix
        )
    if wanted.actor_id is not None:
        of_key = wanted.actor_id.startswith("key_")
        query = query.where((columns.key_id if of_key else columns.actor_id) == wanted.actor_id)
    if wanted.target_id is not None:
        query = query.where(columns.target_id == wanted.target_id)
    if wanted.since is not None:
        query = query.where(columns.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(columns.at < wanted.until)
    return query


def canonical(entry: Mapping[str, Any]) -> str:
    """The JSON text that is hashed: members sorted by name, no white space, UTF-8 as it is."""
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
