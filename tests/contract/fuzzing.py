"""What schemathesis is told by SCHEMATHESIS_HOOKS: how to stay logged in while it breaks everything.

It finds the very key that it uses, and revokes it, shuts its networks or takes its scopes. So before
each request the key is looked at, and replaced straight in the store when it is not what it was.

It also tries each of its stories several times over. An Idempotency-Key sent again would then get the
first story's answer, about what that story deleted: so each request gets a key of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import schemathesis

from innoai.access import keys as key_format
from innoai.access.scopes import ADMIN_FULL
from innoai.config import Settings, StoreSettings
from innoai.ids import RANDOM_BYTES, new_id
from innoai.store import accounts, api_keys
from innoai.store import secrets as store_secrets
from innoai.store.api_keys import KeyRecord
from innoai.store.database import Database

if TYPE_CHECKING:
    from schemathesis import AuthContext, Case, CheckContext, HookContext, Response

DIRECTORY = Path(os.environ["FUZZED_DIRECTORY"])
ORIGIN = os.environ["FUZZED_ORIGIN"]
"""Where the server's store is, and where it listens."""


IDEMPOTENCY_KEY = "Idempotency-Key"
_numbers = itertools.count()
_deleted: set[object] = set()


@schemathesis.hook
def before_call(_context: HookContext, case: Case, _kwargs: object) -> None:
    """Make a well-formed Idempotency-Key one that was never sent before."""
    key = case.headers.get(IDEMPOTENCY_KEY)
    if isinstance(key, str) and re.fullmatch(r"[!-~]{1,200}", key):
        case.headers[IDEMPOTENCY_KEY] = f"{key}-{os.getpid()}-{next(_numbers)}"


@schemathesis.hook
def filter_body(context: HookContext, body: object) -> bool:
    """Leave out a form's prompt that is no text: it is text once it is sent, and rightly accepted.

    schemathesis knows that, but cannot tell it of a form with a file in it (seen with 4.32.5).
    """
    assert context.operation is not None
    if context.operation.path != "/v1/images/edits" or not isinstance(body, dict):
        return True
    return isinstance(body.get("prompt", ""), str) or body["prompt"] in ([], {})


@schemathesis.check
def a_deleted_key_is_shown_as_revoked(_context: CheckContext, response: Response, case: Case) -> None:
    """In the place of use_after_free, which expects that it is not shown at all."""
    key_id = case.path_parameters.get("key_id")
    if case.operation.path == "/v1/keys/{key_id}" and response.status_code in (200, 204):
        if case.method == "DELETE":
            _deleted.add(key_id)
        elif key_id in _deleted:
            assert response.json()["status"] == "revoked"


@schemathesis.auth(refresh_interval=None)
class EverLive:
    """Gives an admin key that nothing has been done to."""

    def __init__(self) -> None:
        self._client = httpx.Client(base_url=ORIGIN)
        self._settings = Settings(
            store=StoreSettings(
                url=f"sqlite:///{DIRECTORY / 'innoai.db'}",
                secret_file=str(DIRECTORY / "innoai.secret"),
            )
        )
        self._key_id = ""
        self._key = ""

    def get(self, _case: Case, _context: AuthContext) -> str:
        if not self._is_as_it_was():
            self._key_id, self._key = asyncio.run(new_key(self._settings))
        return self._key

    def set(self, case: Case, data: str, _context: AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"

    def _is_as_it_was(self) -> bool:
        if not self._key:
            return False
        answer = self._client.get(
            f"/v1/keys/{self._key_id}", headers={"Authorization": f"Bearer {self._key}"}
        )
        if answer.status_code != 200:
            return False
        shown = answer.json()
        return (
            shown["scopes"] == [ADMIN_FULL]
            and shown["rate_limit"] >= 1_000_000
            and not any(shown[name] for name in ("allowed_ips", "models", "expires_at"))
        )


async def new_key(settings: Settings) -> tuple[str, str]:
    """Add an admin key to the store: its id and the key."""
    now, key = time.time(), key_format.mint(os.urandom(key_format.SECRET_BYTES))
    secrets = store_secrets.load(settings, create=False).current
    database = Database(settings.store.url)
    try:
        async with database.write() as connection:
            account = await accounts.first(connection)
            assert account is not None
            record = KeyRecord(
                id=new_id("key", int(now * 1000), os.urandom(RANDOM_BYTES)),
                account_id=account.id,
                customer_pk=None,
                customer_id=None,
                name="Everlasting",
                last4=key[-4:],
                scopes=(ADMIN_FULL,),
                allowed_ips=(),
                rate_limit=None,
                models=None,
                created_at=now,
            )
            await api_keys.create(connection, record, key_format.digest(key, secrets.pepper), secrets.version)
    finally:
        await database.close()
    return record.id, key
