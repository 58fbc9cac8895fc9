from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.forger import forger_of

if TYPE_CHECKING:
    from tests.support.forger import Forger
    from tests.support.server import Server


@pytest.fixture(scope="session")
def forger(server: Server) -> Forger:
    """Whoever stole the shared server's signing key."""
    return forger_of(server)
