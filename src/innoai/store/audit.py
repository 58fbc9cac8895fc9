"""The audit log: one chain of hashes an account, so that a changed, removed or inserted entry shows.

An entry's hash covers its content, and its content names the hash before it. Writers of one account
take their turn at its row in audit_heads, in the transaction of what they record.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, update
from sqlalchemy.dialects import postgresql, sqlite

from innoai.store.tables import audit_entries, audit_heads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

BEGINNING = "0" * 64
"""What the first entry of an account names as the hash before it."""


async def append(connection: AsyncConnection, account_id: str, entry: Mapping[str, Any], at: float) -> None:
    """Add an entry at the end of the account's chain.

    `entry` is what the log shows, without sequence and hashes: `id`, `at`, `actor`, `action`, `target_id`
    and whatever else is to be kept, as JSON values. It comes last in a transaction, after the change feed
    was told, so that writers wait for one another in one order.
    """
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    head = {"account_id": account_id, "sequence": 0, "hash": BEGINNING}
    await connection.execute(dialect.insert(audit_heads).values(**head).on_conflict_do_nothing())
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
            action=entry["action"],
            target_id=entry["target_id"],
            content=content,
            previous_hash=reached.hash,
            hash=digest,
        )
    )
    await connection.execute(update(audit_heads).where(own).values(hash=digest))


def canonical(entry: Mapping[str, Any]) -> str:
    """The JSON text that is hashed: members sorted by name, no white space, UTF-8 as it is."""
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
