"""What tests of the whole share: a model server, and an innoai server in front of it."""

from __future__ import annotations

import signal
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support import server as servers
from tests.support import upstream as upstreams
from tests.support import warm
from tests.support.redis import redis_url
from tests.support.server import MODEL, Server
from tests.support.settings import settings
from tests.support.stores import (
    database,
    empty_url,
    kind,
    new_postgres,
    postgres_template,
    sqlite_template,
    url,
)
from tests.support.tools import count_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from tests.support.upstream import Upstream

__all__ = [
    "database",
    "empty_url",
    "kind",
    "new_postgres",
    "postgres_template",
    "redis_url",
    "sqlite_template",
    "url",
]

UPSTREAM_KEY = "sk-upstream-of-the-operator"
LONGEST = (
    "tests/contract/test_schemathesis",
    "tests/sdks/",
    "tests/docs/",
    "tests/dashboard/",
    "tests/contract/",
    "tests/cli/",
)
"""Beginnings of node ids, the longest-running first."""


def pytest_configure() -> None:
    """Let the commands that tests start hear Ctrl-C, which a shell's background process does not."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure() -> None:
    """End what commands were forked from."""
    warm.end()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, lest one process be busy with one when all others are done."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    places = (at for at, beginning in enumerate(LONGEST) if item.nodeid.startswith(beginning))
    return next(places, len(LONGEST))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """Last of all: what is not installed here, and how many tests were skipped for it."""
    yield
    skipped = terminalreporter.getreports("skipped")
    missing = count_missing(report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple))
    if missing:
        terminalreporter.section("not installed here, and so not tested")
        for tool, tests in sorted(missing.items()):
            terminalreporter.line(f"{tool}: {tests} skipped")
        terminalreporter.line("`scripts/debian-packages` installs them on Debian, or says what to install.")


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    """The model server, a process of its own."""
    yield from upstreams.running()


@pytest.fixture(scope="session")
def usual_settings(upstream: Upstream) -> str:
    """One model under the seed's name, mapped to the model server's own name and key."""
    served = {"base_url": upstream.base_url(), "model": "upstream-model", "api_key": UPSTREAM_KEY}
    return settings({MODEL: [served]})


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, usual_settings: str) -> Iterator[Server]:
    """The server that tests share which neither stop nor reconfigure it."""
    yield from servers.running(Server.initialise(tmp_path_factory.mktemp("server"), usual_settings))


@pytest.fixture(scope="module")
def new_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Servers of a test's or a module's own: `new_server(settings, **environment)`, running."""
    with ExitStack() as open_servers:

        def start(text: str, **environment: str) -> Server:
            made = Server.initialise(tmp_path_factory.mktemp("own-server"), text, **environment)
            return open_servers.enter_context(contextmanager(servers.running)(made))

        yield start


@pytest.fixture(scope="module")
def new_replica() -> Iterator[Callable[[Server], Server]]:
    """Second servers of an installation, running: the same settings and store, a port of their own."""
    with ExitStack() as open_servers:
        yield lambda first: open_servers.enter_context(contextmanager(servers.running)(first.replica()))


@pytest.fixture(scope="session")
def admin(server: Server) -> Iterator[httpx.Client]:
    """A client with the first key of the shared server."""
    headers = {"authorization": f"Bearer {server.admin_key}"}
    with httpx.Client(base_url=server.base_url, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def anyone(server: Server) -> Iterator[httpx.Client]:
    """A client without a credential."""
    with httpx.Client(base_url=server.base_url, timeout=30) as client:
        yield client
