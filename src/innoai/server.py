"""The composition root: builds every room from the settings, wires them, and runs them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import secrets as randomness
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
import uvicorn
import uvloop

from innoai.access import keys as key_format
from innoai.access.networks import parse_networks
from innoai.access.scopes import ADMIN_FULL
from innoai.access.tiers import DEFAULT_TIERS, FIRST_ACCOUNT_TIER
from innoai.api.app import ControlPlane
from innoai.api.metrics import open_registry
from innoai.api.services import Services
from innoai.config import ConfigError, split_bind
from innoai.door import Door
from innoai.errors import InnoError
from innoai.gateway.connection import IDLE_PATIENCE, Connection
from innoai.gateway.gateway import Gateway
from innoai.gateway.models import open_models
from innoai.ids import RANDOM_BYTES, RequestIds, new_id
from innoai.keyring.feed import ChangeFeed
from innoai.keyring.keyring import Keyring
from innoai.limiter import open_limiter
from innoai.metering.spool import Shipper, Spool
from innoai.store import accounts, api_keys, changes, idempotency, signing_keys, tokens
from innoai.store import secrets as store_secrets
from innoai.store.accounts import AccountRecord
from innoai.store.api_keys import KeyRecord
from innoai.store.database import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from innoai.access.tokens import Algorithm
    from innoai.config import Settings
    from innoai.store.secrets import Secrets

USE_FLUSH_SECONDS = 15.0
TIDY_SECONDS = 600.0
GRACE_SECONDS = 30
CALLER_WATCH_SECONDS = 1.0
BACKLOG = 2048
COLLECTOR_THRESHOLDS = (50_000, 20, 100)
"""A request leaves no cycles behind, so the collector need not look after every few of them."""
SIGNING_SECRET_BYTES = 32

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Initialised:
    """What `innoai init` did. `api_key` is the first admin key, and None when the store was there before."""

    api_key: str | None
    dashboard_setup_url: str
    created: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that `innoai doctor` looked at."""

    name: str
    ok: bool
    detail: str
    remedy: str | None = None


def initialise(settings: Settings) -> Initialised:
    """Create the store if there is none: schema, signing key, first account, first admin key.

    Raises:
        ConfigError: the store or the secret cannot be made or used.
    """
    return asyncio.run(_initialise(settings))


def serve(settings: Settings, *, first_run: Initialised) -> int:
    """Serve until SIGTERM or SIGINT; requests under way are finished first. Returns the exit status."""
    configure_logging()
    if first_run.created:
        log.info("created the store", store=_without_password(settings.store.url))
    listener = _listen(settings)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, listener))
    return 0


def examine(settings: Settings) -> list[Finding]:
    """Look at everything that a start depends on, and say what to do about what is wrong."""
    return asyncio.run(_examine(settings))


async def _initialise(settings: Settings) -> Initialised:
    secrets = store_secrets.load(settings, create=True)
    if settings.store.sqlite_file is not None:
        settings.store.sqlite_file.parent.mkdir(parents=True, exist_ok=True)
    database = Database(settings.store.url)
    try:
        await database.migrate()
        async with database.write() as connection:
            now = time.time()
            if await signing_keys.load(connection, secrets, now) is None:
                await _new_signing_key(connection, secrets, settings.tokens.algorithm, now)
            if await accounts.first(connection) is not None:
                return Initialised(None, f"{settings.server.url}/", created=False)
            return await _first_account(connection, settings, secrets, now)
    except InnoError:
        raise ConfigError(
            f"the store {_without_password(settings.store.url)} cannot be reached or written; "
            "check store.url, and that its server runs or its directory is writable"
        ) from None
    finally:
        await database.close()


async def _first_account(connection: Any, settings: Settings, secrets: Secrets, now: float) -> Initialised:
    account_id, key = _new_id("acc"), key_format.mint(os.urandom(key_format.SECRET_BYTES))
    invite = randomness.token_urlsafe(32)
    account = AccountRecord(account_id, "First account", FIRST_ACCOUNT_TIER, disabled=False, created_at=now)
    await accounts.create(connection, account)
    await accounts.invite_owner(connection, _new_id("mem"), account_id, invite, now)
    record = KeyRecord(
        id=_new_id("key"),
        account_id=account_id,
        customer_pk=None,
        customer_id=None,
        name="First admin key",
        last4=key[-4:],
        scopes=(ADMIN_FULL,),
        allowed_ips=(),
        rate_limit=None,
        models=None,
        created_at=now,
    )
    current = secrets.current
    await api_keys.create(connection, record, key_format.digest(key, current.pepper), current.version)
    return Initialised(key, f"{settings.server.url}/setup?invite={invite}", created=True)


async def _new_signing_key(connection: Any, secrets: Secrets, algorithm: Algorithm, now: float) -> None:
    await signing_keys.rotate(
        connection,
        secrets,
        kid=_new_id("sig"),
        algorithm=algorithm,
        secret=os.urandom(SIGNING_SECRET_BYTES),
        now=now,
    )


@dataclass(frozen=True, slots=True)
class Application:
    """The whole server: what answers inference, and what answers everything else."""

    gateway: Gateway
    control_plane: ControlPlane


@contextlib.asynccontextmanager
async def open_application(settings: Settings) -> AsyncIterator[Application]:
    """Every room built and wired, with its background work running; all closed at the end."""
    secrets = store_secrets.load(settings, create=False)
    database = Database(settings.store.url)
    feed = ChangeFeed(database, time.monotonic)
    keyring = Keyring(
        database,
        secrets,
        feed,
        tiers=DEFAULT_TIERS,
        tokens=settings.tokens,
        max_stale=settings.store.max_stale,
        clock=time.time,
    )
    await feed.start(keyring)
    limiter = open_limiter(settings.limits.url, time.monotonic_ns)
    door = Door(
        keyring,
        limiter,
        failed_auth=settings.limits.failed_auth,
        clock=time.time,
        clock_ns=time.monotonic_ns,
    )
    spool = Spool(Path(settings.metering.spool), lambda: _new_id("use"))
    shipper = Shipper(spool, database)
    models = open_models(settings.models, time.time)
    proxies = parse_networks(settings.server.trusted_proxies)
    new_request_id = RequestIds(int(time.time() * 1000), os.urandom(5)).new
    gateway = Gateway(
        door=door,
        models=models,
        spool=spool,
        trusted_proxies=proxies,
        max_body_bytes=settings.server.max_body_bytes,
        max_header_bytes=settings.server.max_header_bytes,
        new_request_id=new_request_id,
        clock=time.time,
        monotonic=time.monotonic,
    )
    services = Services(
        settings=settings,
        database=database,
        secrets=secrets,
        keyring=keyring,
        feed=feed,
        door=door,
        tiers=DEFAULT_TIERS,
        started_at=int(time.time()),
        trusted_proxies=proxies,
        registry=open_registry(door, feed),
        clock=time.time,
    )
    background = [
        asyncio.create_task(work)
        for work in (
            feed.follow(keyring),
            shipper.run(),
            _every(USE_FLUSH_SECONDS, keyring.flush_use),
            _every(TIDY_SECONDS, lambda: _tidy(database)),
        )
    ]
    try:
        yield Application(gateway, ControlPlane(services, new_request_id))
    finally:
        await models.close()
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        with contextlib.suppress(InnoError):
            await shipper.ship()
            await keyring.flush_use()
        spool.close()
        await limiter.close()
        await database.close()


class Server(uvicorn.Server):
    """uvicorn's server, which ends with status 0 when it is asked to stop, and watches its callers' time."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT begin the graceful end; a second one ends at once."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for caught in signals:
            loop.add_signal_handler(caught, self.handle_exit, caught, None)
        watch = loop.create_task(self._watch_callers())
        try:
            yield
        finally:
            watch.cancel()
            for caught in signals:
                loop.remove_signal_handler(caught)

    async def _watch_callers(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(CALLER_WATCH_SECONDS)
            now = loop.time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.expire(now)


async def _serve(settings: Settings, listener: socket.socket) -> None:
    async with open_application(settings) as application:
        config = uvicorn.Config(
            application.control_plane,
            http=type("ServedConnection", (Connection,), {"gateway": application.gateway}),
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            ws="none",
            backlog=BACKLOG,
            timeout_keep_alive=int(IDLE_PATIENCE),
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        # What is loaded by now lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECTOR_THRESHOLDS)
        log.info("listening", address=_address_of(listener), models=list(settings.models))
        await Server(config).serve(sockets=[listener])


async def _every(seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do something now and then until cancelled; a store that is down is tried again the next time."""
    while True:
        await asyncio.sleep(seconds)
        with contextlib.suppress(InnoError):
            await work()


async def _tidy(database: Database) -> None:
    """Forget what no longer matters."""
    now = time.time()
    async with database.write() as connection:
        await changes.prune(connection, now)
        await tokens.prune(connection, now)
        await idempotency.prune(connection, now)


async def _examine(settings: Settings) -> list[Finding]:
    findings = [_examine_secret(settings)]
    file = settings.store.sqlite_file
    if file is not None and not file.exists():
        # Looking would create it.
        return [*findings, Finding("store", False, f"{file} is not there", "run `innoai init`")]
    database = Database(settings.store.url)
    try:
        reachable = await database.is_reachable()
        findings.append(
            Finding(
                "store",
                reachable,
                _without_password(settings.store.url),
                None if reachable else "run `innoai init`, or correct store.url",
            )
        )
        if reachable and findings[0].ok:
            findings.append(await _examine_signing_keys(settings, database))
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


def _examine_spool(directory: Path) -> Finding:
    parent = directory if directory.exists() else directory.absolute().parent
    writable = os.access(parent, os.W_OK)
    waiting = len(list(directory.glob("*.jsonl"))) if directory.exists() else 0
    remedy = None if writable else f"make {directory} writable"
    return Finding("usage spool", writable, f"{directory}, {waiting} segments", remedy)


async def _examine_limits(settings: Settings) -> Finding:
    limiter = open_limiter(settings.limits.url, time.monotonic_ns)
    shown = _without_password(settings.limits.url)
    try:
        await limiter.peek("doctor", 1)
    except InnoError:
        return Finding("limits", False, f"{shown} does not answer", "start it, or correct limits.url")
    finally:
        await limiter.close()
    return Finding("limits", True, shown)


def _listen(settings: Settings) -> socket.socket:
    host, port = split_bind(settings.server.bind)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"server.bind: {settings.server.bind} cannot be listened on ({error.strerror}); "
            "stop what listens there, or choose another port"
        ) from None
    listener.set_inheritable(True)
    return listener


def configure_logging() -> None:
    """One JSON object a line on stderr."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=open(2, "w", closefd=False)),  # noqa: SIM115
    )


def _address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else url


def _new_id(prefix: str) -> str:
    return new_id(prefix, int(time.time() * 1000), os.urandom(RANDOM_BYTES))
