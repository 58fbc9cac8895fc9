"""Creates that may be sent twice: with an Idempotency-Key the second gets the first one's answer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError

from innoai.errors import InnoError
from innoai.store import idempotency

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.api.services import Services
    from innoai.api.wire import JsonRequest

HEADER = "idempotency-key"
_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)


async def create_once(
    services: Services,
    request: JsonRequest,
    account_id: str,
    content: bytes,
    create: Callable[[AsyncConnection], Awaitable[bytes]],
) -> bytes:
    """Run `create` in a transaction and keep its answer; or give the answer of the run before.

    Raises:
        InnoError: invalid_request for a key that is no key, conflict when it came with another request.
    """
    keys = request.headers.getall(HEADER, [])
    if not keys:
        async with services.database.write() as connection:
            return await create(connection)
    key = keys[0]
    if len(keys) > 1 or _KEY.fullmatch(key) is None:
        raise InnoError(
            "invalid_request",
            "Idempotency-Key: send one, of 1 to 255 printable ASCII characters without spaces.",
        )
    fingerprint = f"{request.method} {request.url.path}\n".encode() + content
    try:
        return await _once(services, account_id, key, fingerprint, create)
    except IntegrityError:
        # A twin with the same key may have committed first; if it did, its answer is found now.
        return await _once(services, account_id, key, fingerprint, create)


async def _once(
    services: Services,
    account_id: str,
    key: str,
    fingerprint: bytes,
    create: Callable[[AsyncConnection], Awaitable[bytes]],
) -> bytes:
    async with services.database.write() as connection:
        known = await idempotency.recall(connection, services.secrets, account_id, key, fingerprint)
        if known is not None:
            return known
        answer = await create(connection)
        await idempotency.remember(
            connection, services.secrets, account_id, key, fingerprint, answer, services.clock()
        )
        return answer
