"""Webhook endpoints: where an account wants to be told of events."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import LargeBinary, delete, func, insert, or_, select, update

from innoai.store.tables import webhook_endpoints

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.store.secrets import Secrets

GONE = "gone"
FAILING = "failing"


@dataclass(frozen=True, slots=True)
class EndpointRecord:
    """A row of webhook_endpoints. `event_types` may end in `*`; `failing_since`: no success since then."""

    id: str
    account_id: str
    url: str
    event_types: tuple[str, ...]
    description: str | None
    sealed_headers: bytes = field(repr=False)
    sealed_secret: bytes = field(repr=False)
    created_at: float
    updated_at: float
    sealed_previous_secret: bytes | None = field(default=None, repr=False)
    previous_secret_ends_at: float | None = None
    disabled: bool = False
    disabled_because: str | None = None
    failing_since: float | None = None


_SEALED = {"sealed_headers": "headers", "sealed_secret": "secret", "sealed_previous_secret": "secret"}
_COLUMNS = [webhook_endpoints.c[column.name] for column in fields(EndpointRecord)]


def sealed_for(what: str, endpoint_id: str) -> str:
    """The purpose under which an endpoint's `secret` or `headers` are sealed."""
    return f"webhook {what} {endpoint_id}"


async def create(connection: AsyncConnection, endpoint: EndpointRecord) -> None:
    """Add an endpoint."""
    values = {column.name: getattr(endpoint, column.name) for column in fields(endpoint)}
    await connection.execute(insert(webhook_endpoints).values(**values))


async def get(connection: AsyncConnection, endpoint_id: str, account_id: str) -> EndpointRecord | None:
    """One endpoint, if it is the account's."""
    return await _one(connection, _of(endpoint_id, account_id))


async def hold(connection: AsyncConnection, endpoint_id: str, account_id: str) -> EndpointRecord | None:
    """The same, and nobody else changes it until the transaction ends; events may still refer to it."""
    return await _one(connection, _of(endpoint_id, account_id).with_for_update(key_share=True))


async def page(
    connection: AsyncConnection, account_id: str, *, limit: int, before: str | None
) -> list[EndpointRecord]:
    """At most `limit` of the account's endpoints, newest first, those older than the id `before`."""
    query = select(*_COLUMNS).where(webhook_endpoints.c.account_id == account_id)
    if before is not None:
        query = query.where(webhook_endpoints.c.id < before)
    rows = (await connection.execute(query.order_by(webhook_endpoints.c.id.desc()).limit(limit))).all()
    return [_record(row) for row in rows]


async def count(connection: AsyncConnection, account_id: str) -> int:
    """How many endpoints the account has."""
    query = select(func.count()).where(webhook_endpoints.c.account_id == account_id)
    return (await connection.execute(query)).scalar_one()


async def change(connection: AsyncConnection, endpoint_id: str, values: Mapping[str, Any]) -> None:
    """Set columns of an endpoint."""
    own = webhook_endpoints.c.id == endpoint_id
    await connection.execute(update(webhook_endpoints).where(own).values(**values))


async def recovered(connection: AsyncConnection, endpoint_id: str) -> None:
    """Note that an endpoint took a delivery."""
    failing = update(webhook_endpoints).where(
        webhook_endpoints.c.id == endpoint_id, webhook_endpoints.c.failing_since.is_not(None)
    )
    await connection.execute(failing.values(failing_since=None))


async def remove(connection: AsyncConnection, endpoint_id: str) -> None:
    """Delete an endpoint with its deliveries."""
    await connection.execute(delete(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id))


async def reseal(connection: AsyncConnection, secrets: Secrets) -> None:
    """Seal anew what is sealed under a previous secret of the installation, which is then not needed."""
    current = bytes.fromhex(secrets.current.version)
    sealed = [webhook_endpoints.c[name] for name in _SEALED]
    outdated = or_(*(func.substr(column, 1, len(current), type_=LargeBinary) != current for column in sealed))
    query = select(webhook_endpoints.c.id, *sealed).where(outdated)
    for row in (await connection.execute(query.with_for_update(key_share=True, skip_locked=True))).all():
        # What neither secret opens stays as it is, and the log of deliveries says so.
        anew = {
            name: secrets.sealed_anew(value, sealed_for(what, row.id))
            for name, what in _SEALED.items()
            if (value := getattr(row, name)) is not None
        }
        values = {name: value for name, value in anew.items() if value is not None}
        if values:
            await change(connection, row.id, values)


def _of(endpoint_id: str, account_id: str) -> Select[Any]:
    return select(*_COLUMNS).where(
        webhook_endpoints.c.id == endpoint_id, webhook_endpoints.c.account_id == account_id
    )


async def _one(connection: AsyncConnection, query: Select[Any]) -> EndpointRecord | None:
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _record(row)


def _record(row: Any) -> EndpointRecord:
    values: dict[str, Any] = dict(row._mapping)
    values["event_types"] = tuple(values["event_types"])
    return EndpointRecord(**values)
