"""Messages that leave together: all of them, in their order, in the same turn of the event loop."""

from __future__ import annotations

import asyncio
from typing import Any

from innoai.gateway.departures import Departures


async def test_what_is_added_leaves_in_order_before_the_next_turn() -> None:
    departures, left = Departures(), list[int]()
    for number in range(3):
        departures.add(lambda number=number: left.append(number))  # type: ignore[misc]
    assert left == []
    await asyncio.sleep(0)
    assert left == [0, 1, 2]
    await asyncio.sleep(0)
    assert left == [0, 1, 2]


async def test_one_that_cannot_leave_holds_back_none_and_is_told() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    departures, left = Departures(), list[int]()

    def fail() -> None:
        raise RuntimeError("closed")

    departures.add(fail)
    departures.add(lambda: left.append(1))
    await asyncio.sleep(0)
    assert left == [1]
    assert [str(context["exception"]) for context in told] == ["closed"]
