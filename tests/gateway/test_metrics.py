"""What `/metrics` tells of the data plane."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from tests.gateway.house import counted, house_before, said
from tests.gateway.test_passage import JSON

if TYPE_CHECKING:
    from tests.gateway.house import House, Installation
    from tests.gateway.upstream.peers import Visit

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")


async def connections(house: House) -> dict[str, float]:
    told = (await house.ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")).body.decode()
    return {
        state: float(count)
        for state, count in re.findall(r'innoai_upstream_connections\{state="(\w+)"\} (\S+)', told)
    }


async def test_connections_to_upstreams_are_told_by_what_they_do(installed: Installation) -> None:
    async def holding(visit: Visit) -> None:
        await visit.request()
        await house.until(go_on.is_set)
        await visit.say(said(counted(1, 2), JSON))
        await visit.gone()

    go_on = asyncio.Event()
    async with house_before(installed, holding) as (house, (peer,)), house.caller() as caller:
        assert await connections(house) == {"idle": 0, "busy": 0, "connecting": 0}
        await caller.send(house.post())
        await house.until(lambda: bool(peer.requests))
        assert await connections(house) == {"idle": 0, "busy": 1, "connecting": 0}
        go_on.set()
        await caller.answer()
        assert await connections(house) == {"idle": 1, "busy": 0, "connecting": 0}


async def test_tasks_are_counted(installed: Installation) -> None:
    async def silent(visit: Visit) -> None:
        await visit.gone()

    async with house_before(installed, silent) as (house, _):
        told = (await house.ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")).body
        found = re.search(rb"^innoai_tasks (\d+)\.0$", told, re.MULTILINE)
        assert found is not None
        assert int(found[1]) > 1
