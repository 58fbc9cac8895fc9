from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support import server as servers
from tests.support.server import MODEL, Server
from tests.support.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def echoing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose one model is the built-in echo."""
    text = settings({MODEL: [{"base_url": "echo:"}]})
    yield from servers.running(Server.initialise(tmp_path_factory.mktemp("echoing"), text))


@pytest.fixture(scope="session")
def caller(echoing: Server) -> Iterator[httpx.Client]:
    """A client with its first key; addresses begin at the server's root."""
    headers = {"authorization": f"Bearer {echoing.admin_key}"}
    with httpx.Client(base_url=echoing.origin, headers=headers, timeout=30) as client:
        yield client
