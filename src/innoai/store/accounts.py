"""Accounts, the tenants of this installation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from innoai.store import changes
from innoai.store.tables import accounts

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """A row of accounts. None: what the installation uses."""

    id: str
    name: str
    tier: str
    disabled: bool
    created_at: float
    currency: str | None = None
    alert_thresholds: tuple[int, ...] | None = None


def _record(row: Any) -> AccountRecord:
    values: dict[str, Any] = dict(row._mapping)
    if values["alert_thresholds"] is not None:
        values["alert_thresholds"] = tuple(values["alert_thresholds"])
    return AccountRecord(**values)


async def create(connection: AsyncConnection, account: AccountRecord) -> None:
    """Add an account."""
    await connection.execute(
        insert(accounts).values(
            id=account.id,
            name=account.name,
            tier=account.tier,
            disabled=account.disabled,
            created_at=account.created_at,
        )
    )


async def first(connection: AsyncConnection) -> AccountRecord | None:
    """The oldest account, which init made."""
    row = (await connection.execute(select(accounts).order_by(accounts.c.id).limit(1))).one_or_none()
    return None if row is None else _record(row)


async def get(connection: AsyncConnection, account_id: str) -> AccountRecord:
    """The account of an id that some row refers to."""
    row = (await connection.execute(select(accounts).where(accounts.c.id == account_id))).one()
    return _record(row)


async def find(connection: AsyncConnection, account_id: str) -> AccountRecord | None:
    """The account of an id that somebody gave."""
    row = (await connection.execute(select(accounts).where(accounts.c.id == account_id))).one_or_none()
    return None if row is None else _record(row)


async def everyone(connection: AsyncConnection) -> list[AccountRecord]:
    """All accounts, the oldest first."""
    rows = (await connection.execute(select(accounts).order_by(accounts.c.id))).all()
    return [_record(row) for row in rows]


async def tiers_in_use(connection: AsyncConnection) -> set[str]:
    """The tiers that some account is on."""
    return set((await connection.execute(select(accounts.c.tier).distinct())).scalars())


async def currencies_in_use(connection: AsyncConnection) -> set[str]:
    """The currencies that some account has chosen."""
    query = select(accounts.c.currency).where(accounts.c.currency.is_not(None)).distinct()
    return set((await connection.execute(query)).scalars())


async def currencies_held(connection: AsyncConnection, account_ids: Collection[str]) -> dict[str, str | None]:
    """The currency that each account has chosen, and chooses no other before this transaction ends."""
    query = select(accounts.c.id, accounts.c.currency).where(accounts.c.id.in_(list(account_ids)))
    rows = await connection.execute(query.order_by(accounts.c.id).with_for_update(read=True))
    return {row.id: row.currency for row in rows}


async def change(connection: AsyncConnection, account_id: str, values: Mapping[str, Any], now: float) -> None:
    """Set columns of an account and tell the feed."""
    await connection.execute(update(accounts).where(accounts.c.id == account_id).values(**values))
    await changes.announce(connection, changes.ACCOUNT, account_id, now)


async def lock(connection: AsyncConnection, account_id: str) -> None:
    """Let nobody else change anything within the account until this transaction ends.

    The first of the locks: `innoai.store` has their order.
    """
    # Not the whole row: whoever adds a row that refers to the account, as the audit log does, goes on.
    row = select(accounts.c.id).where(accounts.c.id == account_id).with_for_update(key_share=True)
    await connection.execute(row)
