"""Answers to creates that carried an Idempotency-Key, kept for a day so that a retry gets the same one.

The answer may hold a new key's secret, so it is sealed.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from innoai.errors import InnoError
from innoai.store.tables import idempotency

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.store.secrets import Secrets

RETENTION = 86_400.0


async def recall(
    connection: AsyncConnection, secrets: Secrets, account_id: str, key: str, request: bytes
) -> bytes | None:
    """The answer that this key got before, if any.

    Raises:
        InnoError: conflict when the key came with another request.
    """
    query = select(idempotency.c.fingerprint, idempotency.c.sealed_answer).where(
        idempotency.c.account_id == account_id, idempotency.c.idempotency_key == key
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    if not hmac.compare_digest(row.fingerprint, hashlib.sha256(request).digest()):
        raise InnoError(
            "conflict",
            "This Idempotency-Key was used with another request. Send a new one for a new request.",
        )
    return secrets.open(row.sealed_answer, f"idempotency {account_id} {key}")


async def remember(
    connection: AsyncConnection,
    secrets: Secrets,
    account_id: str,
    key: str,
    request: bytes,
    answer: bytes,
    now: float,
) -> None:
    """Keep an answer in the transaction that it reports on, which holds the account's row since `recall`."""
    await connection.execute(
        insert(idempotency).values(
            account_id=account_id,
            idempotency_key=key,
            fingerprint=hashlib.sha256(request).digest(),
            sealed_answer=secrets.seal(answer, f"idempotency {account_id} {key}"),
            created_at=now,
        )
    )


async def prune(connection: AsyncConnection, now: float) -> None:
    """Forget the answers past their retention."""
    await connection.execute(delete(idempotency).where(idempotency.c.created_at < now - RETENTION))
