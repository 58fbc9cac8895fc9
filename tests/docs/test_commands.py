"""Every block of shell commands in the documents runs; blocks.py says how pages direct that.

Apart from test_snippets.py, so that both run side by side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs.programs import SECONDS
from tests.docs.running import PROGRAMS, runs_and_prints_what_its_page_shows, where

if TYPE_CHECKING:
    from tests.docs.blocks import Chain
    from tests.docs.world import World

pytestmark = pytest.mark.timeout(2 * SECONDS)
COMMANDS = [chain for chain in PROGRAMS if chain.language == "bash"]


@pytest.mark.parametrize("chain", COMMANDS, ids=where)
def test_commands_do_and_print_what_their_page_shows(chain: Chain, world: World) -> None:
    runs_and_prints_what_its_page_shows(chain, world)
