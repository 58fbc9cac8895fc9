"""Looking at everything that a start depends on, with a remedy for what is wrong."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from innoai.config import ConfigError, without_password
from innoai.errors import InnoError
from innoai.installation import check_spool
from innoai.limiter import open_limiter
from innoai.metering.spool import waiting_in
from innoai.store import api_keys, sealed, signing_keys
from innoai.store import secrets as store_secrets
from innoai.store.database import Database

if TYPE_CHECKING:
    from innoai.config import Settings


MOST_NAMED = 20
_PREVIOUS = "previous secret"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that `innoai doctor` looked at."""

    name: str
    ok: bool
    detail: str
    remedy: str | None = None


def examine(settings: Settings, file: Path | None) -> list[Finding]:
    """Look at everything that a start depends on, and say what to do about what is wrong.

    `file` is where the settings were read, None if nowhere.
    """
    read = "no file; the defaults and the environment" if file is None else str(file.absolute())
    return [Finding("settings", True, read), *asyncio.run(_examine(settings))]


async def _examine(settings: Settings) -> list[Finding]:
    findings = [_examine_secret(settings)]
    store = settings.store.sqlite_file
    if store is not None and not store.exists():
        # Looking would create it.
        findings.append(Finding("store", False, f"{store.absolute()} is not there", "run `innoai init`"))
    else:
        findings += await _examine_database(settings, all(finding.ok for finding in findings))
    findings.append(_examine_spool(settings))
    findings.append(await _examine_limits(settings))
    return findings


async def _examine_database(settings: Settings, secret_is_sound: bool) -> list[Finding]:
    """The store, and what in it depends on the secret."""
    database = Database(settings.store.url)
    try:
        findings = [await _examine_store(settings, database)]
        if secret_is_sound and findings[0].ok:
            findings.append(await _examine_signing_keys(settings, database))
            if settings.previous_secret is not None:
                findings.append(await _examine_previous_secret(settings, database))
        return findings
    finally:
        await database.close()


def _fault(name: str, error: ConfigError) -> Finding:
    """What a start would stop with, which says what is wrong and, behind a semicolon, what to do."""
    problem, _, remedy = str(error).partition("; ")
    return Finding(name, False, problem, remedy)


def _examine_secret(settings: Settings) -> Finding:
    try:
        store_secrets.load(settings, create=False)
    except ConfigError as error:
        return _fault("secret", error)
    exposed = store_secrets.exposed_file(settings)
    if exposed is not None:
        shown = exposed.absolute()
        return Finding("secret", False, f"{shown} can be read by others", f"chmod 600 {shown}")
    if settings.secret is not None:
        return Finding("secret", True, "INNOAI_SECRET")
    return Finding("secret", True, str(Path(settings.store.secret_file).absolute()))


async def _examine_store(settings: Settings, database: Database) -> Finding:
    file = settings.store.sqlite_file
    shown = without_password(settings.store.url) if file is None else str(file.absolute())
    if not await database.is_reachable():
        return Finding("store", False, f"{shown} does not answer", "run `innoai init`, or correct store.url")
    for to_be_migrated in (True, False):
        try:
            await database.check_version(to_be_migrated=to_be_migrated)
        except ConfigError as error:
            return _fault("store", error)
    exposed = [] if file is None else _readable_by_others(file)
    if exposed:
        return Finding("store", False, f"{shown} can be read by others", f"chmod 600 {' '.join(exposed)}")
    return Finding("store", True, shown)


def _readable_by_others(store: Path) -> list[str]:
    """Which of a SQLite store's files others than its owner may read."""
    files = [store, *(store.with_name(store.name + suffix) for suffix in ("-wal", "-shm"))]
    return [str(file.absolute()) for file in files if file.exists() and file.stat().st_mode & 0o077]


async def _examine_signing_keys(settings: Settings, database: Database) -> Finding:
    try:
        async with database.read() as connection:
            found = await signing_keys.load(
                connection, store_secrets.load(settings, create=False), time.time()
            )
    except ConfigError as error:
        return _fault("signing key", error)
    if found is None:
        return Finding("signing key", False, "there is none", "run `innoai init`")
    return Finding("signing key", True, f"{found.current.algorithm}, key id {found.current.kid}")


async def _examine_previous_secret(settings: Settings, database: Database) -> Finding:
    """What still needs INNOAI_SECRET_PREVIOUS."""
    secrets = store_secrets.load(settings, create=False)
    if secrets.previous is None:
        return Finding(_PREVIOUS, True, "none")
    version = secrets.previous.version
    async with database.read() as connection:
        keys = await api_keys.live_under(connection, version, time.time())
        counts = await sealed.count_under(connection, version)
    needing = [f"{count} {what}, until a server starts with both secrets" for what, count in counts.items()]
    if keys:
        # A digest cannot be made anew without its key.
        more = "" if len(keys) <= MOST_NAMED else f" and {len(keys) - MOST_NAMED} more"
        needing.append(f"these API keys, until they are rotated: {', '.join(keys[:MOST_NAMED])}{more}")
    if not needing:
        return Finding(_PREVIOUS, True, "no key and no secret in the store needs INNOAI_SECRET_PREVIOUS")
    return Finding(_PREVIOUS, True, f"INNOAI_SECRET_PREVIOUS is needed by {'; '.join(needing)}")


def _examine_spool(settings: Settings) -> Finding:
    directory = Path(settings.metering.spool)
    try:
        check_spool(settings)
    except ConfigError as error:
        return _fault("usage spool", error)
    waiting = waiting_in(directory)
    return Finding("usage spool", True, f"{directory.absolute()}, {waiting} segments to be shipped")


async def _examine_limits(settings: Settings) -> Finding:
    limiter = open_limiter(settings.limits.url, time.monotonic_ns)
    shown = without_password(settings.limits.url)
    try:
        await limiter.peek("doctor", 1)
    except InnoError:
        return Finding("limits", False, f"{shown} does not answer", "start it, or correct limits.url")
    finally:
        await limiter.close()
    return Finding("limits", True, shown)
