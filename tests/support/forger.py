"""Makes tokens with a server's own signing key: expired ones without waiting, and every kind of false one."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
import msgspec

from innoai import config
from innoai.access.tokens import Claims, mint
from innoai.store import secrets, signing_keys
from innoai.store.database import Database

if TYPE_CHECKING:
    from innoai.access.tokens import SigningKey
    from tests.support.server import Server


@dataclass(frozen=True, slots=True)
class Forger:
    """Holds the key that the server signs with."""

    key: SigningKey

    def remade(self, token: str, **claims: Any) -> str:
        """The token with other claims, signed and spelled as the server would."""
        return mint(msgspec.structs.replace(claims_of(token), **claims), self.key)

    def expired(self, token: str) -> str:
        """The token as it will be once its time has passed."""
        now = int(time.time())
        return self.remade(token, iat=now - 7200, exp=now - 1)


def forger_of(server: Server) -> Forger:
    """Read the signing key out of the server's store, with the secret beside it."""
    return Forger(asyncio.run(_signing_key(server)))


def payload_of(token: str) -> dict[str, Any]:
    """What the token says, unverified."""
    payload: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return payload


def claims_of(token: str) -> Claims:
    """The same as the server's own type."""
    return msgspec.convert(payload_of(token), Claims)


async def _signing_key(server: Server) -> SigningKey:
    secret_file = {"INNOAI_STORE_SECRET_FILE": str(server.directory / "innoai.secret")}
    settings = config.load(str(server.directory / "innoai.toml"), secret_file)
    database = Database(f"sqlite:///{server.store}")
    try:
        async with database.read() as connection:
            keys = await signing_keys.load(connection, secrets.load(settings, create=False), time.time())
    finally:
        await database.close()
    assert keys is not None
    return keys.current
