"""What is sealed under the installation's secret for longer than a day, and how it is sealed anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import LargeBinary, func, or_, select

from innoai.store import authenticators, signing_keys, tables, webhooks

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.store.secrets import Secrets

_ROOMS = (authenticators, signing_keys, webhooks)
_COLUMNS = {
    "signing keys": (tables.signing_keys.c.sealed,),
    "webhook endpoints": (
        tables.webhook_endpoints.c.sealed_headers,
        tables.webhook_endpoints.c.sealed_secret,
        tables.webhook_endpoints.c.sealed_previous_secret,
    ),
    "authenticator apps of members": (tables.authenticators.c.sealed_secret,),
}


async def reseal(connection: AsyncConnection, secrets: Secrets) -> None:
    """Seal anew what is sealed under a previous secret, which is then not needed for it."""
    for room in _ROOMS:
        await room.reseal(connection, secrets)


async def count_under(connection: AsyncConnection, version: str) -> dict[str, int]:
    """How much is sealed under the secret of that version, by what it is; nothing of what is not."""
    mark = bytes.fromhex(version)
    counts = {}
    for what, columns in _COLUMNS.items():
        marks = (func.substr(column, 1, len(mark), type_=LargeBinary) for column in columns)
        query = select(func.count()).select_from(columns[0].table)
        query = query.where(or_(*(each == mark for each in marks)))
        if count := (await connection.execute(query)).scalar_one():
            counts[what] = count
    return counts
