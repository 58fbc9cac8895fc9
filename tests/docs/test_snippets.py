"""Every other fenced block of the documents runs, or is checked by its reader, as blocks.py has pages say."""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.contract.webhooks import create_endpoint, deliveries_of, until
from tests.docs import programs
from tests.docs.blocks import blocks_of, pages
from tests.docs.givens import GIVENS
from tests.docs.running import CHAINS, MARKED, PROGRAMS, ready, runs_and_prints_what_its_page_shows, where
from tests.docs.wholes import CHECKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.docs.blocks import Block, Chain
    from tests.docs.world import World

NOT_RUN = 9
"""How many blocks are marked as not run: it does not grow unnoticed, and goes down with each that is run."""

pytestmark = pytest.mark.timeout(2 * programs.SECONDS)
SNIPPETS = [chain for chain in PROGRAMS if chain.language != "bash"]
RECEIVERS = [chain.first for chain in CHAINS if chain.first.runs and "receives" in chain.first.directives]
WHOLES = [chain.first for chain in CHAINS if chain.first.language in CHECKS and chain.first not in MARKED]


@pytest.mark.parametrize("chain", SNIPPETS, ids=where)
def test_a_snippet_runs_and_prints_what_its_page_shows(chain: Chain, world: World) -> None:
    runs_and_prints_what_its_page_shows(chain, world)


@pytest.mark.parametrize("block", RECEIVERS, ids=where)
def test_a_receiver_takes_a_real_delivery_and_refuses_a_forged_one(block: Block, world: World) -> None:
    ready(world, block, [])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}{block.directives['receives']}"
    endpoint = create_endpoint(world.client, url)
    with receiving(block, world, port, endpoint["secret"]):
        world.client.post(f"/webhooks/{endpoint['id']}/test").raise_for_status()
        (delivery,) = until(
            lambda: deliveries_of(world.client, endpoint["id"]), lambda all_: all_[0]["state"] != "pending"
        )
        assert delivery["state"] == "succeeded", delivery
        body = b'{"type":"webhook.test"}'
        forged = {
            "content-type": "application/json",
            "x-innoai-signature": hmac.new(b"another secret", body, hashlib.sha256).hexdigest(),
            "webhook-id": "evt_forged",
            "webhook-timestamp": str(int(time.time())),
            "webhook-signature": "v1,Zm9yZ2Vk",
        }
        assert httpx.post(url, content=body, headers=forged).status_code in (400, 401, 403)


@contextmanager
def receiving(block: Block, world: World, port: int, secret: str) -> Iterator[None]:
    """The receiver while it runs; it listens when this is entered."""
    process = programs.started([block], world, PORT=str(port), WEBHOOK_SECRET=secret)
    try:
        ends = time.monotonic() + programs.SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, process.stdout and process.stdout.read()
                assert time.monotonic() < ends, "it does not listen"
                time.sleep(0.05)
        yield
    finally:
        programs.ended(process)
        programs.closed(process)


@pytest.mark.parametrize("block", WHOLES, ids=where)
def test_what_is_no_program_is_as_its_reader_wants_it(block: Block, world: World) -> None:
    ready(world, block, [given.strip() for given in block.directives.get("given", "").split(";") if given])
    CHECKS[block.language or ""](block, world)


@pytest.mark.parametrize("block", MARKED, ids=where)
def test_a_block_that_is_not_run_says_why(block: Block) -> None:
    assert len(block.directives["not run"]) > 10, f"{block.where}: say why"
    pytest.skip(f"not run: {block.where}: {block.directives['not run']}")


def test_the_blocks_that_are_not_run_are_counted() -> None:
    listed = "\n".join(f"{block.where}: {block.directives['not run']}" for block in MARKED)
    assert len(MARKED) == NOT_RUN, f"{len(MARKED)} blocks are not run, and NOT_RUN is {NOT_RUN}:\n{listed}"


def test_every_block_is_of_a_language_that_is_run_or_checked() -> None:
    unknown = [block for chain in CHAINS for block in chain.blocks if block.language is None]
    assert [f"{block.where}: {block.label}" for block in unknown if block not in MARKED] == []


def test_every_given_is_known() -> None:
    assert {given for chain in CHAINS for given in chain.givens} <= GIVENS.keys()


def test_no_snippet_is_missed() -> None:
    """The reading of the pages finds as many fences as there are lines that open one."""
    for page in pages():
        fences = re.findall(r"^ *```", page.read_text("utf-8"), re.MULTILINE)
        assert len(fences) == 2 * len(blocks_of(page)), page


def test_every_output_is_shown_behind_what_prints_it() -> None:
    """A block labelled `text` is an output; what else is no program has no label."""
    alone = [chain.first.where for chain in CHAINS if chain.first.label == "text"]
    assert alone == []
