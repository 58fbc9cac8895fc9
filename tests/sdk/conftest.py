from __future__ import annotations

import inspect
import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from innoai import AsyncInnoAI, InnoAI
from tests.sdk.peer import Peer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

KEY = "sk-inno-the-key-of-these-tests"


VERDICTS: dict[tuple[str, str], bool] = {}
"""Whether a vector passed, by suite and name, in every way in which it was tested."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the verdict about each vector."""
    report = yield
    callspec = getattr(item, "callspec", None)
    case = callspec.params.get("case") if callspec is not None else None
    if isinstance(case, dict) and "suite" in case:
        of = (case["suite"], case["name"])
        VERDICTS[of] = VERDICTS.get(of, True) and not report.failed
    return report


def pytest_sessionfinish() -> None:
    """Write the verdicts where scripts/conformance.py wants them."""
    if out := os.environ.get("INNOAI_CONFORMANCE_OUT"):
        results = [
            {"suite": suite, "case": name, "passed": passed} for (suite, name), passed in VERDICTS.items()
        ]
        table = {"sdk": "python", "version": version("innoai"), "results": results}
        Path(out).write_text(json.dumps(table, ensure_ascii=False), "utf-8")


@pytest.fixture(autouse=True)
def _no_credentials_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("INNOAI_", "OPENAI_")):
            monkeypatch.delenv(name)


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


@pytest.fixture
def client(peer: Peer) -> Iterator[InnoAI]:
    with InnoAI(api_key=KEY, base_url=peer.url) as client:
        yield client


@pytest.fixture
async def async_client(peer: Peer) -> AsyncIterator[AsyncInnoAI]:
    async with AsyncInnoAI(api_key=KEY, base_url=peer.url) as client:
        yield client


class Either:
    """One of the two clients, so that a test is written once: what a call gives is awaited if it must be."""

    def __init__(self, kind: type[InnoAI] | type[AsyncInnoAI], options: dict[str, Any]) -> None:
        self.client: Any = kind(**options)

    @staticmethod
    async def done(value: Any) -> Any:
        return await value if inspect.isawaitable(value) else value


@pytest.fixture(params=[InnoAI, AsyncInnoAI], ids=["sync", "async"])
async def either(request: pytest.FixtureRequest, peer: Peer) -> AsyncIterator[Either]:
    """A key client, sync in one run of the test and async in the other."""
    either = Either(request.param, {"api_key": KEY, "base_url": peer.url})
    yield either
    await either.done(either.client.close())


@pytest.fixture(params=[InnoAI, AsyncInnoAI], ids=["sync", "async"])
async def tenant(request: pytest.FixtureRequest, peer: Peer) -> AsyncIterator[Either]:
    """A client with token auth for one customer."""
    options = {
        "api_key": KEY,
        "base_url": peer.url,
        "customer_id": "customer-123",
        "scopes": ["inference:read", "inference:write"],
    }
    either = Either(request.param, options)
    yield either
    await either.done(either.client.close())
