"""Looking at everything that a start depends on, with a remedy for what is wrong."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from innoai.config import ConfigError, without_password
from innoai.errors import InnoError
from innoai.limiter import open_limiter
from innoai.metering.spool import waiting_in
from innoai.store import api_keys, signing_keys
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


def examine(settings: Settings) -> list[Finding]:
    """Look at everything that a start depends on, and say what to do about what is wrong."""
    return asyncio.run(_examine(settings))


async def _examine(settings: Settings) -> list[Finding]:
    findings = [_examine_secret(settings)]
    file = settings.store.sqlite_file
    if file is not None and not file.exists():
        # Looking would create it.
        return [*findings, Finding("store", False, f"{file} is not there", "run `innoai init`")]
    database = Database(settings.store.url)
    try:
        findings.append(await _examine_store(settings, database))
        if all(finding.ok for finding in findings):
            findings.append(await _examine_signing_keys(settings, database))
            if settings.previous_secret is not None:
                findings.append(await _examine_previous_secret(settings, database))
    finally:
        await database.close()
    findings.append(_examine_spool(Path(settings.metering.spool)))
    findings.append(await _examine_limits(settings))
    return findings


def _examine_secret(settings: Settings) -> Finding:
    source = "INNOAI_SECRET" if settings.secret is not None else settings.store.secret_file
    try:
        store_secrets.load(settings, create=False)
    except ConfigError as error:
        return Finding("secret", False, str(error), "run `innoai init`, or set INNOAI_SECRET")
    if settings.secret is None and Path(source).stat().st_mode & 0o077:
        return Finding("secret", False, f"{source} can be read by others", f"chmod 600 {source}")
    return Finding("secret", True, source)


async def _examine_store(settings: Settings, database: Database) -> Finding:
    shown = without_password(settings.store.url)
    if not await database.is_reachable():
        return Finding("store", False, shown, "run `innoai init`, or correct store.url")
    for to_be_migrated, remedy in ((True, "run that version, or a newer one"), (False, "run `innoai init`")):
        try:
            await database.check_version(to_be_migrated=to_be_migrated)
        except ConfigError as error:
            return Finding("store", False, str(error), remedy)
    return Finding("store", True, shown)


async def _examine_signing_keys(settings: Settings, database: Database) -> Finding:
    try:
        async with database.read() as connection:
            found = await signing_keys.load(
                connection, store_secrets.load(settings, create=False), time.time()
            )
    except ConfigError as error:
        return Finding("signing key", False, str(error), "restore the former secret")
    if found is None:
        return Finding("signing key", False, "there is none", "run `innoai init`")
    return Finding("signing key", True, f"{found.current.algorithm}, key id {found.current.kid}")


async def _examine_previous_secret(settings: Settings, database: Database) -> Finding:
    """Who still needs INNOAI_SECRET_PREVIOUS: a digest cannot be made anew without its key."""
    secrets = store_secrets.load(settings, create=False)
    former = [] if secrets.previous is None else [secrets.previous.version]
    async with database.read() as connection:
        keys = [key for each in former for key in await api_keys.live_under(connection, each, time.time())]
    if not keys:
        return Finding(_PREVIOUS, True, "no API key needs INNOAI_SECRET_PREVIOUS any more")
    more = "" if len(keys) <= MOST_NAMED else f" and {len(keys) - MOST_NAMED} more"
    return Finding(
        _PREVIOUS, True, f"these keys need it until they are rotated: {', '.join(keys[:MOST_NAMED])}{more}"
    )


def _examine_spool(directory: Path) -> Finding:
    parent = directory if directory.exists() else directory.absolute().parent
    writable = parent.is_dir() and os.access(parent, os.W_OK)
    remedy = None if writable else f"make {directory} a writable directory"
    return Finding(
        "usage spool", writable, f"{directory}, {waiting_in(directory)} segments to be shipped", remedy
    )


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
