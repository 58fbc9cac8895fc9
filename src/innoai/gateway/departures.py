"""Messages that leave together, when all that has arrived in a turn of the event loop is heard.

A write wakes whoever waits for it, which costs more than the copy. Writes in a row find the other side
awake after the first, so they are cheaper than the same writes with other work between them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Departures:
    """What is to be written at the end of the turn."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[Callable[[], None]] = []

    def add(self, depart: Callable[[], None]) -> None:
        """Call `depart`, which writes, in this turn of the event loop."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._leave)
        self._waiting.append(depart)

    def _leave(self) -> None:
        waiting, self._waiting = self._waiting, []
        for depart in waiting:
            try:
                depart()
            except Exception as error:  # noqa: BLE001 - the others leave all the same
                message = "a message could not be written"
                asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
