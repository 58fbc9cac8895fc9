from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
import uvloop

from innoai import installation
from tests.gateway.house import Installation, settings_in

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from pathlib import Path


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the server runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A fresh installation, to be copied."""
    directory = tmp_path_factory.mktemp("installation")
    key = installation.initialise(settings_in(directory, {})).api_key
    assert key is not None
    return Installation(directory, key)


@pytest.fixture
def installed(pristine: Installation, tmp_path: Path) -> Installation:
    """An installation of the test's own."""
    shutil.copytree(pristine.directory, tmp_path / "house")
    return Installation(tmp_path / "house", pristine.key)
