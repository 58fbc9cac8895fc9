from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every test here runs on both loops: they differ in when and how a transport tells of a loss."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
