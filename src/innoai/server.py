"""The composition root: builds every room from the settings, wires them, and runs them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import structlog
import uvicorn
import uvloop

from innoai import memory
from innoai.access.networks import parse_networks
from innoai.activity.counts import Counts
from innoai.api import expiring
from innoai.api.app import ControlPlane
from innoai.api.metrics import open_registry
from innoai.api.services import Services
from innoai.auth.minting import Mint
from innoai.background import attempt, end_all, repeat
from innoai.config import ConfigError, split_bind
from innoai.cors import Cors
from innoai.dashboard.app import Dashboard
from innoai.dashboard.assets import Assets
from innoai.dashboard.inside import Inside
from innoai.dashboard.passwords import Passwords
from innoai.dashboard.provider import open_provider
from innoai.dashboard.rendering import Renderer
from innoai.dashboard.throttle import Throttle
from innoai.door import Door
from innoai.events import expiry
from innoai.events.bursts import Bursts
from innoai.events.deliver import Worker
from innoai.fresh_ids import fresh_id
from innoai.gateway.connection import IDLE_PATIENCE, Connection
from innoai.gateway.gateway import Gateway
from innoai.gateway.inquiry import InquiryDesk
from innoai.gateway.models import open_models
from innoai.ids import RequestIds
from innoai.keyring.feed import ChangeFeed
from innoai.keyring.keyring import Keyring
from innoai.limiter import open_limiter
from innoai.metering import retention
from innoai.metering.budgets import Budgets
from innoai.metering.holders import Holders
from innoai.metering.prices import currencies
from innoai.metering.shipping import Shipper
from innoai.metering.spool import Spool
from innoai.store import (
    accounts,
    activity,
    announced,
    ceremonies,
    changes,
    idempotency,
    sealed,
    sessions,
    tokens,
)
from innoai.store import budgets as store_budgets
from innoai.store import secrets as store_secrets
from innoai.store.database import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
    from types import FrameType

    from structlog.typing import Processor

    from innoai.config import Settings
    from innoai.traces import Traces

USE_FLUSH_SECONDS = 15.0
EXPIRY_SECONDS = 60.0
TIDY_SECONDS = 600.0
GRACE_SECONDS = 30
FAREWELL_SECONDS = 6.0
"""How long the end waits for others to take what they do not have yet. With the grace, and with connections
that do not close, it takes less than the 45 seconds after which a supervisor kills."""
CALLER_WATCH_SECONDS = 1.0
BACKLOG = 2048

log = structlog.get_logger()


def serve(settings: Settings, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished first.

    Raises:
        ConfigError: the secret is not the store's.
    """
    configure_logging()
    exposed = store_secrets.exposed_file(settings)
    if exposed is not None:
        log.warning("others can read the installation's secret", remedy=f"chmod 600 {exposed.absolute()}")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, listener))


@dataclass(frozen=True, slots=True)
class Application:
    """The whole server: what answers inference, and what answers everything else."""

    gateway: Gateway
    control_plane: ControlPlane
    dashboard: Dashboard
    stopping: asyncio.Event
    """For the server to set when it has been asked to stop."""

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer what inference does not: pages to people, and everything else to programs."""
        if self.dashboard.owns(scope["path"]):
            await self.dashboard(scope, receive, send)
        else:
            await self.control_plane(scope, receive, send)


@contextlib.asynccontextmanager
async def open_application(settings: Settings) -> AsyncIterator[Application]:
    """Every room built and wired, with its background work running; all closed at the end."""
    secrets = store_secrets.load(settings, create=False)
    database = Database(settings.store.url)
    feed = ChangeFeed(database, time.monotonic, settings.store.max_stale)
    keyring = Keyring(
        database,
        secrets,
        feed,
        tiers=settings.tiers,
        tokens=settings.tokens,
        currency=settings.billing.currency,
        session_idle=settings.dashboard.session_idle,
        clock=time.time,
    )
    await _check_accounts(settings, database)
    await feed.start(keyring)
    limiter = open_limiter(settings.limits.url, time.monotonic_ns)
    bursts = Bursts(settings.limits.failed_auth, time.time)
    spool = Spool(Path(settings.metering.spool), lambda: fresh_id("use"))
    holders = Holders(spool.directory, fresh_id("hld"))
    budgets = Budgets(database, holders, clock=time.time, monotonic=time.monotonic)
    counts = Counts(database, time.time, keeps=settings.activity.keep_days > 0)
    door = Door(
        keyring,
        limiter,
        failed_auth=settings.limits.failed_auth,
        clock=time.time,
        clock_ns=time.monotonic_ns,
        budgets=budgets,
        on_burst=bursts.note,
        counts=counts,
    )
    mint = Mint(keyring, settings.tokens, settings.tiers, time.time)
    shipper = Shipper(spool, database, budgets, settings.billing, time.time)
    shortcuts = settings.server.shortcuts
    models = open_models(
        settings.models, time.time, settings.billing, shortcuts=shortcuts, place=settings.where("")
    )
    proxies = parse_networks(settings.server.trusted_proxies)
    cors = Cors(settings.server.cors_origins)
    new_request_id = RequestIds(int(time.time() * 1000), os.urandom(5)).new
    traces = open_traces(settings)
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
        desk=InquiryDesk(
            door=door,
            keyring=keyring,
            mint=mint,
            models=settings.models,
            trusted_proxies=proxies,
            new_request_id=new_request_id,
        )
        if shortcuts
        else None,
        shortcuts=shortcuts,
        cors=cors,
        traces=traces,
    )
    services = Services(
        settings=settings,
        database=database,
        secrets=secrets,
        keyring=keyring,
        feed=feed,
        door=door,
        mint=mint,
        tiers=settings.tiers,
        tariffs=models.tariffs,
        started_at=int(time.time()),
        trusted_proxies=proxies,
        registry=open_registry(door, feed, models.connections),
        clock=time.time,
    )
    control_plane = ControlPlane(services, new_request_id, cors)
    assets = Assets()
    inside = Inside(
        settings=settings,
        database=database,
        secrets=secrets,
        keyring=keyring,
        mint=mint,
        control_plane=control_plane,
        trusted_proxies=proxies,
        clock=time.time,
        renderer=Renderer(assets, time.time),
        passwords=Passwords(),
        throttle=Throttle(time.monotonic_ns),
        provider=open_provider(settings),
    )
    dashboard = Dashboard(inside, assets, new_request_id)
    worker = Worker(database, secrets, settings.webhooks, time.time)
    background = [
        asyncio.create_task(work)
        for work in (
            feed.follow(keyring),
            shipper.run(),
            worker.run(),
            bursts.record_all(database),
            counts.run(),
            _every(USE_FLUSH_SECONDS, "when keys were last used", keyring.flush_use),
            _every(EXPIRY_SECONDS, "keys about to expire", partial(_announce_expiry, settings, database)),
            _every(TIDY_SECONDS, "tidying", partial(_tidy, settings, database, secrets)),
            _every(TIDY_SECONDS, "retired signing keys", keyring.reload_signing_keys),
            _every(TIDY_SECONDS, "old events", partial(_remove_old_events, database)),
            _every(TIDY_SECONDS, "old usage records", partial(_remove_old_usage, settings, database)),
        )
    ]
    try:
        yield Application(gateway, control_plane, dashboard, services.stopping)
    finally:
        async with contextlib.AsyncExitStack() as end:
            # All of it is done whatever goes wrong in some of it, the last of these first.
            end.push_async_callback(database.close)
            end.push_async_callback(limiter.close)
            end.callback(spool.close)
            end.push_async_callback(_say_farewell, worker, shipper, keyring, counts, traces)
            end.push_async_callback(end_all, background)
            end.push_async_callback(models.close)


async def _say_farewell(
    worker: Worker, shipper: Shipper, keyring: Keyring, counts: Counts, traces: Traces | None
) -> None:
    """Tell the store, and the collector of traces, what they do not know yet, as far as they listen."""
    last: dict[str, Callable[[], Awaitable[object]]] = {
        "usage records": partial(shipper.ship, leaving=True),
        "when keys were last used": keyring.flush_use,
        "activity": counts.flush,
        "deliveries": worker.stop,
    }
    if traces is not None:
        last["traces"] = partial(asyncio.to_thread, traces.close)
    try:
        async with asyncio.timeout(FAREWELL_SECONDS):
            await asyncio.gather(*(attempt(name, work) for name, work in last.items()))
    except TimeoutError:
        log.warning("the end came before all was told; usage records wait in the spool")


class Server(uvicorn.Server):
    """uvicorn's server, which ends with status 0 when it is asked to stop, and watches its callers' time."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and only then say so: who reads it may connect, or stop it."""
        await super().startup(sockets)
        self._started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT begin the graceful end; a second one ends at once."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for caught in signals:
            loop.add_signal_handler(caught, self.handle_exit, caught, None)
        watch = loop.create_task(_every(CALLER_WATCH_SECONDS, "callers' patience", self._watch_callers))
        try:
            yield
        finally:
            watch.cancel()
            for caught in signals:
                loop.remove_signal_handler(caught)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the end; whoever asks again does not wait for what is under way."""
        if self.should_exit:
            self.force_exit = True
            for connection in list(self.server_state.connections):
                connection.transport.abort()
        self.should_exit = True
        self._stopping.set()

    async def _watch_callers(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                connection.expire(now)


async def _serve(settings: Settings, listener: socket.socket) -> None:
    async with open_application(settings) as application:
        config = uvicorn.Config(
            application,
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
        memory.settle()
        started = partial(log.info, "listening", address=_address_of(listener), models=list(settings.models))
        await Server(config, application.stopping, started).serve(sockets=[listener])


def open_traces(settings: Settings) -> Traces | None:
    """Where each inference request is told of; ConfigError without the packages that it takes."""
    if not settings.telemetry.traces:
        return None
    try:
        from innoai.traces import Traces
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{settings.where('telemetry.traces')}: {error.name} is not installed; run "
            f"{sys.executable} -m pip install opentelemetry-exporter-otlp-proto-http, or set it to false"
        ) from None
    return Traces()


async def _check_accounts(settings: Settings, database: Database) -> None:
    """See that the settings have what accounts were given: their tiers, and the currencies they chose."""
    async with database.read() as connection:
        tiers = sorted(await accounts.tiers_in_use(connection) - settings.tiers.keys())
        unknown = sorted(await accounts.currencies_in_use(connection) - set(currencies(settings.billing)))
    if not tiers and not unknown:
        return
    await database.close()
    if tiers:
        raise ConfigError(
            f"{settings.where('tiers')}: accounts are on {', '.join(tiers)}, which the settings do not have; "
            "put the tier back, or move them by `innoai accounts set-tier`"
        )
    raise ConfigError(
        f"{settings.where('billing')}: accounts are billed in {', '.join(unknown)}, "
        "which the settings do not have; put it back as billing.currency or into billing.rates"
    )


def _every(seconds: float, name: str, work: Callable[[], Awaitable[object]]) -> Coroutine[Any, Any, NoReturn]:
    """Do something now and then until cancelled."""
    return repeat(name, partial(asyncio.sleep, seconds), work)


async def _announce_expiry(settings: Settings, database: Database) -> None:
    await expiring.announce(database, settings.tiers, time.time())


async def _remove_old_events(database: Database) -> None:
    await expiry.remove_old(database, time.time())


async def _remove_old_usage(settings: Settings, database: Database) -> None:
    if settings.metering.keep_days is not None:
        await retention.remove_old(database, settings.metering.keep_days, time.time())


async def _tidy(settings: Settings, database: Database, secrets: store_secrets.Secrets) -> None:
    """Forget what no longer matters."""
    now = time.time()
    async with database.write() as connection:
        await changes.prune(connection, now)
        await tokens.prune(connection, now)
        await idempotency.prune(connection, now)
        await store_budgets.prune(connection, now)
        await announced.prune(connection, now)
        await activity.prune(connection, now, settings.activity.keep_days)
        if secrets.previous is not None:
            await sealed.reseal(connection, secrets)
        await ceremonies.prune(connection, now)
        await sessions.prune(connection, now, seen_after=now - settings.dashboard.session_idle)


def listen(settings: Settings) -> socket.socket:
    """The address, for this server alone.

    Raises:
        ConfigError: it is another's, or none of this machine.
    """
    host, port = split_bind(settings.server.bind)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # Two may have bound one address; to listen is what only one of them can.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        where = settings.where("server.bind")
        raise ConfigError(
            f"{where}: {settings.server.bind} cannot be listened on ({error.strerror}); "
            "stop what listens there, or choose another port"
        ) from None
    listener.set_inheritable(True)
    return listener


def configure_logging() -> None:
    """One JSON object a line on stderr, the libraries' warnings included."""
    add_log_level = structlog.processors.add_log_level
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    rendered: list[Processor] = [
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]
    stderr = open(2, "w", closefd=False)  # noqa: SIM115 - as long as the process
    structlog.configure(
        processors=[add_log_level, *rendered], logger_factory=structlog.WriteLoggerFactory(file=stderr)
    )
    handler = logging.StreamHandler(stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processors=[add_log_level, remove_meta, *rendered])
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def _address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
