"""The keys that sign tokens, sealed at rest and rotated with overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from innoai.access.tokens import MAX_LIFETIME, REFRESH_LIFETIME, SigningKey, SigningKeys
from innoai.store import changes
from innoai.store.tables import signing_keys

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from innoai.access.tokens import Algorithm
    from innoai.store.secrets import Secrets

OVERLAP = float(REFRESH_LIFETIME + MAX_LIFETIME)
"""Seconds for which a key still verifies after its successor signs: the longest life of what it signed."""


async def load(connection: AsyncConnection, secrets: Secrets, now: float) -> SigningKeys | None:
    """The keys that count at `now`; None when none signs yet."""
    query = select(signing_keys).order_by(signing_keys.c.created_at, signing_keys.c.kid)
    signing, former = None, []
    for row in (await connection.execute(query)).all():
        if row.retires_at is not None and row.retires_at <= now:
            continue
        key = SigningKey(row.kid, row.algorithm, secrets.open(row.sealed, _purpose(row.kid)))
        if row.retires_at is None:
            # Not the newest by its instant, which may be of a clock that is behind. There are two where an
            # older version rotated twice at once.
            if signing is not None:
                former.append(signing)
            signing = key
        else:
            former.append(key)
    return None if signing is None else SigningKeys(signing, tuple(former))


async def reseal(connection: AsyncConnection, secrets: Secrets) -> None:
    """Seal anew what is sealed under a previous secret of the installation, which is then not needed."""
    query = select(signing_keys.c.kid, signing_keys.c.sealed)
    for row in (await connection.execute(query.with_for_update())).all():
        # What neither secret opens stays as it is; it stops the next start, which says so.
        sealed = secrets.sealed_anew(row.sealed, _purpose(row.kid))
        if sealed is not None:
            of_key = update(signing_keys).where(signing_keys.c.kid == row.kid)
            await connection.execute(of_key.values(sealed=sealed))


async def rotate(
    connection: AsyncConnection,
    secrets: Secrets,
    *,
    kid: str,
    algorithm: Algorithm,
    secret: bytes,
    now: float,
    ends_former: bool = False,
) -> None:
    """Let a new key sign; the former ones verify until what they signed has expired, or no longer."""
    # First, since it makes rotations take turns: each finds the key of the one before.
    await changes.announce(connection, changes.SIGNING_KEY, kid, now)
    if ends_former:
        # No instant, which would be compared with the clock of each server: they are there no more.
        await connection.execute(delete(signing_keys))
    else:
        signing = update(signing_keys).where(signing_keys.c.retires_at.is_(None))
        await connection.execute(signing.values(retires_at=now + OVERLAP))
    sealed = secrets.seal(secret, _purpose(kid))
    await connection.execute(
        insert(signing_keys).values(kid=kid, algorithm=algorithm, sealed=sealed, created_at=now)
    )


def _purpose(kid: str) -> str:
    return f"signing key {kid}"
