"""Work in the background: done again and again until the server ends, whatever goes wrong in it.

    working ──a failure──▶ failing ──a success──▶ working

The log says when it begins to fail, each minute while it does, and when that is over.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NoReturn

import structlog

from innoai.config import ConfigError
from innoai.errors import InnoError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

REMIND_SECONDS = 60.0
CANCELLATIONS = 3
CANCEL_SECONDS = 1.0
"""How often what does not end is cancelled, and how long it has each time."""

_FORESEEN = (InnoError, ConfigError, OSError)
"""What comes of a store that does not answer, of settings that do not fit it, or of a full disk: no bugs."""

log = structlog.get_logger()


async def repeat(
    name: str,
    pause: Callable[[], Awaitable[object]],
    work: Callable[[], Awaitable[object]],
    monotonic: Callable[[], float] = time.monotonic,
) -> NoReturn:
    """Pause, then work, and so on until cancelled; `name` is what the log calls the work.

    What the work raises is logged, and after the next pause it is tried again.
    """
    health = _Health(name)
    while True:
        await pause()
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - logged there
            health.failed(error, monotonic())
        else:
            health.succeeded(monotonic())


async def attempt(
    name: str, work: Callable[[], Awaitable[object]], monotonic: Callable[[], float] = time.monotonic
) -> None:
    """Work once; what it raises is logged, and keeps nothing else from being done."""
    try:
        await work()
    except Exception as error:  # noqa: BLE001 - logged there
        _Health(name).failed(error, monotonic())


async def end_all(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks, and return when they have ended, or have not within some seconds.

    A task that is cancelled just as a timeout of its own fires sees the timeout alone, and goes on: it is
    cancelled again.
    """
    left = set(tasks)
    for _ in range(CANCELLATIONS):
        for task in left:
            task.cancel()
        if left:
            _, left = await asyncio.wait(left, timeout=CANCEL_SECONDS)
    if left:
        log.error("background work does not end", tasks=len(left))


class _Health:
    """Whether the work fails, since when, and when the log said so."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._since: float | None = None
        self._told_at = 0.0
        self._kind: type[Exception] | None = None

    def failed(self, error: Exception, now: float) -> None:
        """Say so, unless it was said less than a minute ago of the same kind of error."""
        if self._since is None:
            self._since = now
        elif type(error) is self._kind and now - self._told_at < REMIND_SECONDS:
            return
        self._told_at, self._kind = now, type(error)
        seconds = round(now - self._since, 1)
        if isinstance(error, _FORESEEN):
            log.warning("background work fails", work=self._name, why=str(error), seconds=seconds)
        else:
            log.error("background work fails", work=self._name, seconds=seconds, exc_info=error)

    def succeeded(self, now: float) -> None:
        """Say so, if it failed before."""
        if self._since is not None:
            log.info("background work goes on", work=self._name, seconds=round(now - self._since, 1))
            self._since = None
