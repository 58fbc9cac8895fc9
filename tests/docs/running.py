"""The chains of all documents, and how one of them runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.contract.clients import create_key
from tests.docs import programs
from tests.docs.blocks import Block, chains_of, pages
from tests.docs.givens import GIVENS
from tests.docs.shapes import difference
from tests.docs.world import needed_by
from tests.support.tools import program

if TYPE_CHECKING:
    from tests.docs.blocks import Chain
    from tests.docs.world import World

CHAINS = [chain for page in pages() for chain in chains_of(page)]
MARKED = [chain.first for chain in CHAINS if "not run" in chain.first.directives]
PROGRAMS = [chain for chain in CHAINS if chain.first.runs and "receives" not in chain.first.directives]


def where(of: Chain | Block) -> str:
    return of.where if isinstance(of, Block) else of.first.where


def ready(world: World, block: Block, givens: list[str]) -> None:
    """Skip where the language is missing; else make what the snippet finds."""
    for tool in needed_by(block.language or "", block.text):
        program(tool)
    for given in givens:
        GIVENS[given](world)


def runs_and_prints_what_its_page_shows(chain: Chain, world: World) -> None:
    """Run the chain; every curl, the exit status and all that is shown is as the page says."""
    ready(world, chain.first, chain.givens)
    if "goes on" in chain.blocks[-1].directives:
        run = programs.run_until_it_prints(chain, world, lambda: create_key(world.client, "What happens"))
    else:
        run = programs.run(chain, world)
    expected = int(chain.blocks[-1].directives.get("exit", 0))
    assert run.status == expected, f"{chain.first.where} ended with {run.status}:\n{run.err}\n{run.out}"
    for number, block in enumerate(chain.blocks):
        statuses = run.statuses(number)
        if "status" in block.directives:
            assert statuses[-1] == int(block.directives["status"]), (
                f"{block.where}: {statuses} {run.out[number]}"
            )
            statuses.pop()
        assert all(200 <= status < 300 for status in statuses), f"{block.where}: {statuses} {run.out[number]}"
        if shown := chain.prints.get(number):
            told = difference(shown.text, run.out[number], is_json=shown.language == "json")
            assert told is None, f"{shown.where}: {told}"
