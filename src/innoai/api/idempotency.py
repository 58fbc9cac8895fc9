"""Creates that may be sent twice: with an Idempotency-Key the second gets the first one's answer.

The key is its caller's own. The answer may hold a secret, or have been made with more rights than another
caller has, so what somebody else sends under the same key is another create.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from innoai.errors import InnoError
from innoai.store import accounts, idempotency

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.access.principal import Principal
    from innoai.api.services import Services
    from innoai.api.wire import JsonRequest
    from innoai.door import Admission

HEADER = "idempotency-key"
_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)


async def create_once(
    services: Services,
    request: JsonRequest,
    caller: Admission,
    content: bytes,
    create: Callable[[AsyncConnection], Awaitable[bytes]],
) -> bytes:
    """Run `create` in a transaction and keep its answer; or give the answer of the run before.

    Raises:
        InnoError: invalid_request for a key that is no key, conflict when it came with another request.
    """
    key = _key_of(request)
    async with services.database.write() as connection:
        if key is None:
            return await create(connection)
        account_id, own = caller.principal.account.id, _own(caller.principal, key)
        fingerprint = f"{request.method} {request.url.path}\n".encode() + content
        # First, so that a twin that comes meanwhile waits for the answer instead of meeting what was done.
        await accounts.lock(connection, account_id)
        known = await idempotency.recall(connection, services.secrets, account_id, own, fingerprint)
        if known is not None:
            return known
        answer = await create(connection)
        await idempotency.remember(
            connection, services.secrets, account_id, own, fingerprint, answer, services.clock()
        )
        return answer


def _key_of(request: JsonRequest) -> str | None:
    keys = request.headers.getall(HEADER, [])
    if not keys:
        return None
    if len(keys) > 1 or _KEY.fullmatch(keys[0]) is None:
        raise InnoError(
            "invalid_request",
            "Idempotency-Key: send one, of 1 to 255 printable ASCII characters without spaces.",
        )
    return keys[0]


def _own(caller: Principal, key: str) -> str:
    """What the store knows the caller's key by, which no other caller's is.

    That is an API key, or the member of a session. All tokens of one API key and one customer are one caller,
    since a retry may come with a newer token.
    """
    kind = "member" if caller.member is not None else "key" if caller.token is None else "token"
    customer = "" if caller.customer is None else caller.customer.id
    # A digest, since the column is as long as the longest key. None of the parts has a space in it.
    return hashlib.sha256(f"{kind} {caller.key.id} {customer} {key}".encode()).hexdigest()
