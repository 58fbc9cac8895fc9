"""Changes that reach a server through its store alone, as another replica's do."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from sqlalchemy import update

from innoai.store import accounts, changes
from innoai.store.database import Database
from innoai.store.tables import accounts as accounts_table

if TYPE_CHECKING:
    from tests.support.server import Server


def disable_account(server: Server) -> None:
    """What an operator's tool does who disables the first account."""
    asyncio.run(_disable_account(server))


async def _disable_account(server: Server) -> None:
    database = Database(f"sqlite:///{server.store}")
    try:
        async with database.write() as connection:
            account = await accounts.first(connection)
            assert account is not None
            await connection.execute(
                update(accounts_table).where(accounts_table.c.id == account.id).values(disabled=True)
            )
            await changes.announce(connection, changes.ACCOUNT, account.id, time.time())
    finally:
        await database.close()
