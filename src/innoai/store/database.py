"""The connection to the store: short reads, and writes that are transactions."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import threading
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from innoai.config import ConfigError, without_password
from innoai.errors import InnoError
from innoai.store.tables import feed_head

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection
    from sqlalchemy.engine import ExceptionContext
    from sqlalchemy.pool import ConnectionPoolEntry

BUSY_TIMEOUT_MS = 10_000
UNHURRIED_MS = 120_000
"""Milliseconds that SQLite waits for another writer, and that one does who waits for another to migrate."""

POOL_SIZE = 8

REPORTS = 4
"""Of the pool's connections, so many at most are for what may take seconds."""

GLANCE_SECONDS = 3.0
"""How long a glance at the store waits for it."""

CONNECT_SECONDS = 5.0
CHECK_SECONDS = 2.0
"""For so long Postgres may take to accept a connection, and one that was idle to show that it lives.
A glance that meets a dead one has time left for a new one."""

TURN_SECONDS = 10.0
"""How long work waits for one of the connections, which others have."""

ANSWER_SECONDS = 40.0
"""A connection that says nothing on a statement for so long is dead: Postgres would have ended it before."""

PART_SECONDS = 0.5
CLOSE_SECONDS = 3.0
"""How long the farewell to one connection, and the last one to all, wait for a store that does not answer."""

POSTGRES_BOUNDS = {
    "idle_in_transaction_session_timeout": "5s",
    "lock_timeout": "8s",
    "statement_timeout": "30s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25s",
}
"""What Postgres is told of each connection, so that a server which freezes or vanishes with locks in its
hands holds the others up for seconds. No transaction of ours waits for anything but the store."""

POSTGRES_17_BOUNDS = {"transaction_timeout": "30s"}
"""What an older Postgres does not know. The others do not end a session that waits between a statement's
preparation and its execution."""

ASIDE_NICENESS = 5
"""A third of the weight of the thread that answers: on one core, still more than that one gives it to do."""

ASIDE_CACHE_KB = 16_000
"""Eight times SQLite's own: with a thousand keys, adding a record to usage takes a quarter less."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_MAKING_LOCK = 0x696E6E6F
_DOWN = (DBAPIError, PoolTimeout, OSError)
"""What a store that does not answer raises; a connection that cannot be made at all is an OSError."""

_NO_ANSWER = "The store does not answer right now."
_UNKNOWN = "The store did not say whether the change was made. See whether it was before you make it again."


class Database:
    """A store's engines. On SQLite the writers of this process queue up here, not in the file's lock."""

    def __init__(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite:")
        self._shown_url = without_password(url)
        self._engine = (
            _sqlite_engine(url, size=POOL_SIZE)
            if self.is_sqlite
            else _postgres_engine(url, size=POOL_SIZE, answer_seconds=ANSWER_SECONDS)
        )
        # On SQLite writers take turns, so one connection is enough for them, and nobody who reads has it.
        self._writes = _sqlite_engine(url) if self.is_sqlite else self._engine
        # SQLite's transactions see one state by themselves.
        self._snapshots = (
            self._engine
            if self.is_sqlite
            else self._engine.execution_options(isolation_level="REPEATABLE READ")
        )
        self._aside = _sqlite_engine(url, aside=True) if self.is_sqlite else self._engine
        self._glances = _sqlite_engine(url) if self.is_sqlite else _glancing_engine(url)
        self._unhurried = (
            _sqlite_engine(url, busy_ms=UNHURRIED_MS)
            if self.is_sqlite
            else _postgres_engine(url, size=1, answer_seconds=None)
        )
        self._writer = asyncio.Lock()
        self._reports = asyncio.Semaphore(REPORTS)
        self._watcher: sqlite3.Connection | None = None

    async def check_version(self, *, to_be_migrated: bool = False) -> None:
        """See that the schema is this version's; one that is to be migrated may be older, or not there yet.

        Raises:
            ConfigError: another version of innoai has made the store.
            InnoError: service_unavailable when the store cannot be reached.
        """
        async with self.read() as connection:
            present = set(await connection.run_sync(_revisions))
        scripts = ScriptDirectory(str(_MIGRATIONS))
        unknown = present - {script.revision for script in scripts.walk_revisions()}
        if unknown:
            raise ConfigError(
                f"the store {self._shown_url} was made by another version of innoai "
                f"(revision {unknown.pop()}); run that version, or a newer one"
            )
        if not to_be_migrated and present != set(scripts.get_heads()):
            made = "was made by an older version of innoai" if present else "is empty"
            raise ConfigError(f"the store {self._shown_url} {made}; `innoai init` makes it this version's")

    async def migrate(self) -> None:
        """Bring the schema to this version's; several replicas may start at once."""
        async with self.write_unhurried() as connection:
            await connection.run_sync(_upgrade)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose statements see one consistent state.

        Raises:
            InnoError: service_unavailable when the store cannot be reached.
        """
        try:
            async with self._snapshots.connect() as connection:
                yield connection
        except _DOWN as error:
            raise _no_answer() from error

    @asynccontextmanager
    async def report(self) -> AsyncIterator[AsyncConnection]:
        """A `read` that may take seconds, as one that adds up; others do not wait for it.

        Raises:
            InnoError: service_unavailable when the store cannot be reached, or others report all the time.
        """
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._reports.acquire()
        except TimeoutError as error:
            raise _no_answer() from error
        try:
            async with self.read() as connection:
                yield connection
        finally:
            self._reports.release()

    @asynccontextmanager
    async def glance(self) -> AsyncIterator[AsyncConnection]:
        """A connection for short questions, which no other work can take away; each sees what is committed.

        Raises:
            InnoError: service_unavailable when the store has not answered in GLANCE_SECONDS.
        """
        try:
            async with asyncio.timeout(GLANCE_SECONDS), self._glances.connect() as connection:
                yield connection
        except _DOWN as error:
            raise _no_answer() from error

    @asynccontextmanager
    async def write(self, *, aside: bool = False, repeatable: bool = False) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed at the end, rolled back by an exception.

        `aside` is for much work that nobody waits for: on SQLite its thread gives way to requests.
        `repeatable` is for what may be done again, whether or not it was committed.

        Raises:
            InnoError: service_unavailable when the store cannot be reached or stays busy, and nothing was
                changed; internal_error when it does not say whether it committed, which for what is
                repeatable is service_unavailable, too. A broken constraint stays SQLAlchemy's
                IntegrityError, since only the caller knows what it means.
        """
        engine = self._aside if aside else self._writes
        if self.is_sqlite:
            async with self._writer, _begin(engine, repeatable=repeatable) as connection:
                yield connection
        else:
            async with _begin(engine, repeatable=repeatable) as connection:
                yield connection

    @asynccontextmanager
    async def write_unhurried(self) -> AsyncIterator[AsyncConnection]:
        """A `write` that may take as long as it takes, and beside which no other process has one.

        Raises:
            InnoError: service_unavailable when the store cannot be reached.
        """
        if self.is_sqlite:
            async with self._writer, _begin(self._unhurried) as connection:
                yield connection
        else:
            async with _begin(self._unhurried) as connection:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MAKING_LOCK})
                yield connection

    async def is_reachable(self) -> bool:
        """Whether the store answers soon and has its schema."""
        try:
            async with self.glance() as connection:
                await connection.execute(select(feed_head.c.sequence))
        except InnoError:
            return False
        return True

    def version(self) -> int | None:
        """A number that changes with every commit to the store, whoever made it, and costs microseconds.

        None where only a question to the store can tell, as with Postgres. The numbers are this object's own.
        Of https://sqlite.org/pragma.html#pragma_data_version
        """
        if not self.is_sqlite:
            return None
        try:
            if self._watcher is None:
                # A connection that never writes, or its own commits would not count. It never waits.
                file = quote(self._engine.url.database or "")
                self._watcher = sqlite3.connect(f"file:{file}?mode=rw", uri=True, timeout=0)
            number: int = self._watcher.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:
            return None
        return number

    def is_still(self, version: int | None) -> bool:
        """Whether it is known that nothing was committed since `version` was the number."""
        return version is not None and version == self.version()

    async def close(self) -> None:
        """Give all connections back; those of a store that does not answer are left to it."""
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                for engine in {self._engine, self._writes, self._aside, self._glances, self._unhurried}:
                    await engine.dispose()


def _no_answer() -> InnoError:
    return InnoError("service_unavailable", f"{_NO_ANSWER} Try again shortly.")


@asynccontextmanager
async def _begin(engine: AsyncEngine, *, repeatable: bool = False) -> AsyncIterator[AsyncConnection]:
    is_committing = False
    try:
        async with engine.connect() as connection:
            await connection.execution_options(writes=True)
            async with connection.begin():
                yield connection
                is_committing = True
    except IntegrityError:
        raise
    except _DOWN as error:
        if is_committing and repeatable:
            raise _no_answer() from error
        if is_committing:
            # Not 503, after which clients send a request again, as one of which nothing was done.
            raise InnoError("internal_error", _UNKNOWN) from error
        raise InnoError(
            "service_unavailable", f"{_NO_ANSWER} Try again shortly; nothing was changed."
        ) from error


def _sqlite_engine(
    url: str, *, size: int = 1, aside: bool = False, busy_ms: int = BUSY_TIMEOUT_MS
) -> AsyncEngine:
    """Connections that are made when they are needed first; each has a thread and a page cache of its own."""
    engine = create_async_engine(
        url.replace("sqlite:", "sqlite+aiosqlite:", 1),
        pool_size=size,
        max_overflow=0,
        connect_args={"timeout": busy_ms / 1000},
        # What a statement carries stays out of exceptions, and so out of the log.
        hide_parameters=True,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        # Transactions are begun below by our own statement, not by the driver at the first write.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            f"busy_timeout={busy_ms}",
            "foreign_keys=ON",
            # What a statement changes is noted in memory; by default, beyond 64 KB, in a file.
            "temp_store=MEMORY",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        if aside:
            # Records of many keys go to many places of the indexes.
            cursor.execute(f"PRAGMA cache_size=-{ASIDE_CACHE_KB}")
            # Each connection has a thread of its own, and this is how to reach it.
            connection.create_function("give_way", 0, _give_way)
            cursor.execute("SELECT give_way()")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later would fail at once when another wrote between.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _give_way() -> None:
    """Let other threads go first, where a thread has a niceness of its own, as it has on Linux."""
    thread = threading.get_native_id()
    with contextlib.suppress(OSError):
        usual = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, usual + ASIDE_NICENESS)


def _glancing_engine(url: str) -> AsyncEngine:
    # Without a transaction there is no rollback at the end, which would wait on a connection that just died.
    return _postgres_engine(url, size=1, answer_seconds=GLANCE_SECONDS).execution_options(
        isolation_level="AUTOCOMMIT"
    )


def _postgres_engine(url: str, *, size: int, answer_seconds: float | None) -> AsyncEngine:
    """Connections bounded by POSTGRES_BOUNDS and `answer_seconds`, or by nothing where that is None."""
    engine = create_async_engine(
        url.replace("postgresql:", "postgresql+asyncpg:", 1),
        pool_size=size,
        pool_timeout=TURN_SECONDS,
        connect_args={"timeout": CONNECT_SECONDS, "command_timeout": answer_seconds},
        hide_parameters=True,
    )
    if answer_seconds is not None:
        # Said on the connection, not when it is made: poolers such as PgBouncer refuse what they do not know.
        @event.listens_for(engine.sync_engine, "connect")
        def bind(connection: Any, _record: object) -> None:
            version = connection.driver_connection.get_server_version()
            bounds = POSTGRES_BOUNDS | (POSTGRES_17_BOUNDS if version >= (17,) else {})
            said = "; ".join(f"SET {name} = '{value}'" for name, value in bounds.items())
            connection.run_async(lambda driven: driven.execute(said, timeout=CHECK_SECONDS))

    event.listen(engine.sync_engine, "connect", _note_that_it_is_new)
    event.listen(engine.sync_engine, "checkout", _see_that_it_lives)
    event.listen(engine.sync_engine, "close", _part_soon)
    event.listen(engine.sync_engine, "handle_error", _give_up_the_silent)
    return engine


def _note_that_it_is_new(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["was just made"] = True


def _see_that_it_lives(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Ask a connection that may have been idle; where one has died, all are made anew."""
    if record.info.pop("was just made", False):
        return
    try:
        connection.run_async(lambda driven: driven.execute("SELECT 1", timeout=CHECK_SECONDS))
    except Exception as error:
        connection.driver_connection.terminate()
        raise InvalidatePoolError from error


def _part_soon(connection: Any, _record: object) -> None:
    """Say goodbye before SQLAlchemy does, which would wait for the answer for ever."""
    with contextlib.suppress(Exception):
        connection.run_async(lambda driven: driven.close(timeout=PART_SECONDS))


def _give_up_the_silent(context: ExceptionContext) -> None:
    """Use a connection no more on which a statement got no answer."""
    if isinstance(context.original_exception, TimeoutError):
        context.is_disconnect = True


def _revisions(connection: Connection) -> tuple[str, ...]:
    return MigrationContext.configure(connection).get_current_heads()


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
