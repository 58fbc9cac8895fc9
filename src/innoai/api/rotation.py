"""Rotating refresh tokens (RFC 9700 §4.14.2): each use gives a successor, a replay ends the family.

A family counts generations. Presented generation g, with the store at generation n since `rotated_at`:

    g = n                                 -> advance to n + 1, give the successor n + 1
    g = n - 1, within RETRY_SECONDS       -> a retry, or a parallel use: give the same successor n
    anything else                         -> a replay: revoke the family

The successor's claims follow from n and `rotated_at` alone, so every retry gets the same token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy.exc import IntegrityError

from innoai.access.tokens import MAX_LIFETIME, REFRESH_LIFETIME
from innoai.errors import InnoError
from innoai.events import journal
from innoai.store import tokens
from innoai.store.tokens import Family

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.access.tokens import Claims
    from innoai.api.services import Services
    from innoai.events.journal import Actor

RETRY_SECONDS = 30.0
REUSE = "refresh token reuse"
_ATTEMPTS = 3


async def successor(services: Services, presented: Claims, account_id: str, actor: Actor) -> Claims:
    """The claims of the refresh token that follows the presented one.

    Raises:
        InnoError: invalid_api_key when the family is revoked, or is revoked now because of a replay.
    """
    for _ in range(_ATTEMPTS):
        try:
            async with services.database.write() as connection:
                family = await _advance(connection, presented, account_id, actor, services.clock())
        except IntegrityError:
            # Another replica recorded the family's first use at the same instant: look again.
            continue
        if family is not None:
            return _claims(presented, family)
        await services.heed_changes()
        raise InnoError(
            "invalid_api_key",
            "The refresh token was used before, so all tokens of its family are revoked. Mint a new token.",
        )
    raise InnoError("service_unavailable")


async def _advance(
    connection: AsyncConnection, presented: Claims, account_id: str, actor: Actor, now: float
) -> Family | None:
    """The family as it stands after this use; None when the use was a replay and ended it.

    The family's row is lock enough, the account's is not taken: what it bounds is not asked here, and all
    families of an account would wait for each other. The order is that of `innoai.store`.
    """
    if await tokens.is_revoked(connection, presented.sid):
        raise InnoError("invalid_api_key", "The refresh token has been revoked. Mint a new token.")
    family = await tokens.family(connection, presented.sid)
    current = 0 if family is None else family.generation
    if presented.generation == current:
        advanced = Family(presented.sid, account_id, current + 1, now, now + REFRESH_LIFETIME)
        if family is None:
            await tokens.begin_family(connection, advanced)
        else:
            await tokens.advance_family(connection, advanced)
        return advanced
    is_retry = (
        family is not None
        and presented.generation == current - 1
        and now - family.rotated_at <= RETRY_SECONDS
    )
    if is_retry:
        return family
    if await revoke_family(connection, presented, account_id, reason=REUSE, now=now):
        await journal.record(
            connection,
            account_id,
            "token.reuse_detected",
            actor=actor,
            now=now,
            target_id=presented.sid,
            after={
                "key_id": presented.client_id,
                "customer_id": presented.customer_id,
                "family_id": presented.sid,
            },
        )
    return None


async def revoke_family(
    connection: AsyncConnection, claims: Claims, account_id: str, *, reason: str, now: float
) -> bool:
    """Revoke all tokens of one mint, for as long as any of them could live; False when it was done before."""
    until = now + REFRESH_LIFETIME + MAX_LIFETIME
    return await tokens.revoke(connection, claims.sid, account_id, reason=reason, now=now, expires_at=until)


def _claims(presented: Claims, family: Family) -> Claims:
    return msgspec.structs.replace(
        presented,
        jti=f"{family.id}.{family.generation}",
        iat=int(family.rotated_at),
        exp=int(family.expires_at),
        generation=family.generation,
    )
