"""Passkeys of members: public keys, and how often each has signed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from innoai.store.tables import passkeys

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class PasskeyRecord:
    """A row of passkeys."""

    id: str
    member_id: str
    credential_id: bytes
    public_key: bytes
    sign_count: int
    name: str
    transports: tuple[str, ...]
    created_at: float
    last_used_at: float | None = None


_COLUMNS = [passkeys.c[field.name] for field in fields(PasskeyRecord)]


def _record(row: Any) -> PasskeyRecord:
    values: dict[str, Any] = dict(row._mapping)
    return PasskeyRecord(**{**values, "transports": tuple(values["transports"])})


async def add(connection: AsyncConnection, passkey: PasskeyRecord) -> None:
    """Add a passkey. IntegrityError when it is known already."""
    values = {field.name: getattr(passkey, field.name) for field in fields(passkey)}
    await connection.execute(insert(passkeys).values(**values))


async def find(connection: AsyncConnection, credential_id: bytes) -> PasskeyRecord | None:
    """The passkey of the id that its authenticator gave it."""
    query = select(*_COLUMNS).where(passkeys.c.credential_id == credential_id).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _record(row)


async def of_member(connection: AsyncConnection, member_id: str) -> list[PasskeyRecord]:
    """A member's passkeys, the oldest first."""
    query = select(*_COLUMNS).where(passkeys.c.member_id == member_id).order_by(passkeys.c.id)
    return [_record(row) for row in (await connection.execute(query)).all()]


async def note_use(connection: AsyncConnection, passkey_id: str, sign_count: int, now: float) -> None:
    """Keep how often it has signed by now."""
    query = update(passkeys).where(passkeys.c.id == passkey_id)
    await connection.execute(query.values(sign_count=sign_count, last_used_at=now))


async def remove(connection: AsyncConnection, member_id: str, passkey_id: str) -> bool:
    """Delete one passkey of a member; False when there is none of that id."""
    query = delete(passkeys).where(passkeys.c.id == passkey_id, passkeys.c.member_id == member_id)
    return (await connection.execute(query)).rowcount == 1
