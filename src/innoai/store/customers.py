"""The account's own end customers, known by the id that the account gives them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, or_, select, update

from innoai.store import api_keys, budgets, changes, searching
from innoai.store.tables import customers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.store.api_keys import KeyRecord


@dataclass(frozen=True, slots=True)
class CustomerRecord:
    """A row of customers."""

    id: str
    account_id: str
    customer_id: str
    created_at: float
    updated_at: float
    name: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    disabled: bool = False
    rate_limit: int | None = None


_COLUMNS = [customers.c[column.name] for column in fields(CustomerRecord)]


async def create(connection: AsyncConnection, customer: CustomerRecord) -> None:
    """Add a customer. IntegrityError when the account has one of that customer_id."""
    values = {column.name: getattr(customer, column.name) for column in fields(customer)}
    await connection.execute(insert(customers).values(**values))
    await changes.announce(connection, changes.CUSTOMER, customer.id, customer.created_at)


async def get(connection: AsyncConnection, pk: str) -> CustomerRecord | None:
    """The customer of our own id (`cus_…`)."""
    return await _one(connection, select(*_COLUMNS).where(customers.c.id == pk))


async def find(connection: AsyncConnection, account_id: str, customer_id: str) -> CustomerRecord | None:
    """The account's customer of the account's own id."""
    query = select(*_COLUMNS).where(
        customers.c.account_id == account_id, customers.c.customer_id == customer_id
    )
    return await _one(connection, query)


async def page(
    connection: AsyncConnection,
    account_id: str,
    *,
    limit: int,
    before: str | None,
    only: str | None,
    search: str | None = None,
) -> list[CustomerRecord]:
    """At most `limit` customers, newest first, older than the id `before`; `only` restricts to one id.

    `search` is a part of the customer_id or of the name, in any case.
    """
    query = select(*_COLUMNS).where(customers.c.account_id == account_id)
    if before is not None:
        query = query.where(customers.c.id < before)
    if only is not None:
        query = query.where(customers.c.id == only)
    if search is not None:
        query = query.where(
            or_(
                searching.holds(connection, customers.c.customer_id, search),
                searching.holds(connection, customers.c.name, search),
            )
        )
    rows = (await connection.execute(query.order_by(customers.c.id.desc()).limit(limit))).all()
    return [CustomerRecord(**row._mapping) for row in rows]


async def count(connection: AsyncConnection, account_id: str) -> int:
    """How many customers the account has."""
    query = select(func.count()).where(customers.c.account_id == account_id)
    return (await connection.execute(query)).scalar_one()


async def change(connection: AsyncConnection, pk: str, values: Mapping[str, Any], now: float) -> None:
    """Set columns of a customer and tell the feed."""
    await connection.execute(update(customers).where(customers.c.id == pk).values(**values, updated_at=now))
    await changes.announce(connection, changes.CUSTOMER, pk, now)


async def remove(connection: AsyncConnection, pk: str, now: float) -> list[KeyRecord]:
    """Delete a customer; its tokens die with the row. Gives the keys that this revokes, as they were."""
    revoked = await api_keys.revoke_of_customer(connection, pk, now)
    await budgets.remove(connection, pk)
    await connection.execute(delete(customers).where(customers.c.id == pk))
    await changes.announce(connection, changes.CUSTOMER, pk, now)
    return revoked


async def _one(connection: AsyncConnection, query: Select[Any]) -> CustomerRecord | None:
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else CustomerRecord(**row._mapping)
