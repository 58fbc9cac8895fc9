"""What all snippets share: the server that the documents speak of, and a world for each chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs.world import SETTINGS, World
from tests.support import server as servers
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that the documents speak of."""
    yield from servers.running(Server.initialise(tmp_path_factory.mktemp("documented"), SETTINGS))


@pytest.fixture
def world(documented: Server, tmp_path: Path) -> Iterator[World]:
    made = World(documented, tmp_path)
    try:
        yield made
    finally:
        made.close()
