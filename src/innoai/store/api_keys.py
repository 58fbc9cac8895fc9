"""API keys at rest: a digest of the key, never the key."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, func, insert, or_, select, update

from innoai.access import keys as key_format
from innoai.store import changes, searching
from innoai.store.tables import api_keys

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.store.secrets import Secrets


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A row of api_keys without its digest. `rate_limit` None means the tier's default."""

    id: str
    account_id: str
    customer_pk: str | None
    customer_id: str | None
    name: str
    last4: str
    scopes: tuple[str, ...]
    allowed_ips: tuple[str, ...]
    rate_limit: int | None
    models: tuple[str, ...] | None
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    last_used_at: float | None = None
    rotated_from: str | None = None
    rotated_to: str | None = None
    by_owner: bool = True

    def status(self, now: float) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


_COLUMNS = [api_keys.c[field.name] for field in fields(KeyRecord)]


def _record(row: Any) -> KeyRecord:
    values: dict[str, Any] = dict(row._mapping)
    for name in ("scopes", "allowed_ips", "models"):
        values[name] = None if values[name] is None else tuple(values[name])
    return KeyRecord(**values)


async def create(connection: AsyncConnection, key: KeyRecord, digest: bytes, pepper: str) -> None:
    """Add a key, known by the digest of its secret under the pepper of that version."""
    values = {field.name: getattr(key, field.name) for field in fields(key)}
    await connection.execute(insert(api_keys).values(**values, digest=digest, pepper=pepper))
    await changes.announce(connection, changes.KEY, key.id, key.created_at)


async def issue(connection: AsyncConnection, secrets: Secrets, key: KeyRecord) -> tuple[KeyRecord, str]:
    """Add a key with a new secret; gives its row, and the secret, which is nowhere to be had again."""
    secret = key_format.mint(os.urandom(key_format.SECRET_BYTES))
    issued = replace(key, last4=secret[-4:])
    current = secrets.current
    await create(connection, issued, key_format.digest(secret, current.pepper), current.version)
    return issued, secret


async def find_by_digest(connection: AsyncConnection, digests: Sequence[bytes]) -> KeyRecord | None:
    """The key of one of these digests."""
    query = select(*_COLUMNS).where(api_keys.c.digest.in_(digests))
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _record(row)


async def get(connection: AsyncConnection, key_id: str, account_id: str | None = None) -> KeyRecord | None:
    """The key of an id, if the account (when one is given) owns it."""
    query = select(*_COLUMNS).where(api_keys.c.id == key_id)
    if account_id is not None:
        query = query.where(api_keys.c.account_id == account_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _record(row)


async def hold(connection: AsyncConnection, account_id: str, key_ids: Collection[str]) -> list[KeyRecord]:
    """The account's keys of these ids, in their order; nobody else changes them until the transaction ends.

    Whoever changes a key after telling the feed of something else, or several keys, holds them first:
    `innoai.store` has the order of locks.
    """
    query = select(*_COLUMNS).where(api_keys.c.account_id == account_id, api_keys.c.id.in_(key_ids))
    held = query.order_by(api_keys.c.id).with_for_update(key_share=True)
    return [_record(row) for row in (await connection.execute(held)).all()]


async def page(
    connection: AsyncConnection,
    account_id: str,
    *,
    limit: int,
    before: str | None,
    status: str | None,
    customer_id: str | None,
    search: str | None = None,
    now: float,
) -> list[KeyRecord]:
    """At most `limit` of the account's keys, newest first, those older than the id `before`.

    `search` is a part of the name in any case, or the whole of what else people know a key by.
    """
    query = select(*_COLUMNS).where(api_keys.c.account_id == account_id)
    if before is not None:
        query = query.where(api_keys.c.id < before)
    if customer_id is not None:
        query = query.where(api_keys.c.customer_id == customer_id)
    if status is not None:
        query = query.where(_has_status(status, now))
    if search is not None:
        query = query.where(
            or_(
                searching.holds(connection, api_keys.c.name, search),
                api_keys.c.last4 == search,
                api_keys.c.id == search,
                api_keys.c.customer_id == search,
            )
        )
    rows = (await connection.execute(query.order_by(api_keys.c.id.desc()).limit(limit))).all()
    return [_record(row) for row in rows]


async def names(connection: AsyncConnection, account_id: str, key_ids: Sequence[str]) -> dict[str, str]:
    """What people call the account's keys of these ids."""
    query = select(api_keys.c.id, api_keys.c.name).where(
        api_keys.c.account_id == account_id, api_keys.c.id.in_(key_ids)
    )
    return {row.id: row.name for row in await connection.execute(query)}


async def expiring(
    connection: AsyncConnection, after: float, upto: float, *, made_before: float
) -> list[KeyRecord]:
    """The live keys of all accounts that expire within these instants and are not new, soonest first."""
    query = select(*_COLUMNS).where(
        api_keys.c.expires_at > after,
        api_keys.c.expires_at <= upto,
        api_keys.c.revoked_at.is_(None),
        api_keys.c.created_at <= made_before,
    )
    rows = (await connection.execute(query.order_by(api_keys.c.expires_at, api_keys.c.id))).all()
    return [_record(row) for row in rows]


async def count_live(
    connection: AsyncConnection, account_id: str, now: float, *, besides: str | None = None
) -> int:
    """How many of the account's keys, besides one, are active, which is what a tier bounds."""
    query = select(func.count()).where(api_keys.c.account_id == account_id, _has_status("active", now))
    if besides is not None:
        query = query.where(api_keys.c.id != besides)
    return (await connection.execute(query)).scalar_one()


async def live_under(connection: AsyncConnection, pepper: str, now: float) -> list[str]:
    """The ids of the active keys of all accounts whose digests were made under the pepper of that version."""
    query = select(api_keys.c.id).where(api_keys.c.pepper == pepper, _has_status("active", now))
    return list((await connection.execute(query.order_by(api_keys.c.id))).scalars())


async def change(connection: AsyncConnection, key_id: str, values: Mapping[str, Any], now: float) -> None:
    """Set columns of a key and tell the feed."""
    await connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(**values))
    await changes.announce(connection, changes.KEY, key_id, now)


async def revoke(connection: AsyncConnection, key_id: str, now: float) -> bool:
    """Revoke a key for good; False when it was revoked before, which changes nothing."""
    query = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
    if (await connection.execute(query.values(revoked_at=now))).rowcount == 0:
        return False
    await changes.announce(connection, changes.KEY, key_id, now)
    return True


async def revoke_of_customer(connection: AsyncConnection, customer_pk: str, now: float) -> list[KeyRecord]:
    """Revoke every key that is bound to a customer; gives them as they were before."""
    query = select(*_COLUMNS).where(api_keys.c.customer_pk == customer_pk, api_keys.c.revoked_at.is_(None))
    # All at once, before the feed is told of the first: innoai.store has the order of locks.
    locked = query.order_by(api_keys.c.id).with_for_update()
    live = [_record(row) for row in (await connection.execute(locked)).all()]
    for key in live:
        await revoke(connection, key.id, now)
    return live


async def note_use(connection: AsyncConnection, used: Mapping[str, float]) -> None:
    """Record when keys were last used; no cache depends on it, so the feed is not told."""
    statement = (
        update(api_keys)
        .where(api_keys.c.id == bindparam("used_id"))
        .values(last_used_at=bindparam("used_at"))
    )
    # In the order in which whoever holds several keys has locked them: innoai.store.
    rows = [{"used_id": key_id, "used_at": at} for key_id, at in sorted(used.items())]
    await connection.execute(statement, rows)


def _has_status(status: str, now: float) -> ColumnElement[bool]:
    live = api_keys.c.revoked_at.is_(None)
    if status == "revoked":
        return api_keys.c.revoked_at.is_not(None)
    if status == "expired":
        return and_(live, api_keys.c.expires_at <= now)
    return and_(live, or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now))
