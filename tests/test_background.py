from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from innoai.background import CANCELLATIONS, attempt, end_all, repeat
from innoai.config import ConfigError
from innoai.errors import InnoError

if TYPE_CHECKING:
    from collections.abc import Sequence

STEP = 20.0
"""Seconds that each pause takes in these tests."""


class Work:
    """What comes of the work, time after time; at the end somebody cancels it."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self.now = 0.0
        self.left = list(outcomes)

    async def pause(self) -> None:
        self.now += STEP

    async def __call__(self) -> None:
        if not self.left:
            raise asyncio.CancelledError
        outcome = self.left.pop(0)
        if outcome is not None:
            raise outcome


async def told(*outcomes: Exception | None) -> Sequence[Any]:
    """What the log says of work with these outcomes."""
    work = Work(*outcomes)
    with capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        await repeat("a work", work.pause, work, lambda: work.now)
    assert work.left == []
    return logs


@pytest.mark.parametrize(
    "error", [InnoError("service_unavailable"), ConfigError("wrong secret"), OSError("full"), KeyError("bug")]
)
async def test_work_goes_on_whatever_it_raises_and_the_log_tells(error: Exception) -> None:
    (failed, over) = await told(error, None, None)
    assert (failed["event"], failed["work"]) == ("background work fails", "a work")
    is_bug = isinstance(error, KeyError)
    assert failed["log_level"] == ("error" if is_bug else "warning")
    assert failed.get("exc_info") is (error if is_bug else None)
    assert over == {
        "event": "background work goes on",
        "work": "a work",
        "seconds": STEP,
        "log_level": "info",
    }


async def test_an_outage_is_told_when_it_begins_each_minute_and_when_it_is_over() -> None:
    down = [InnoError("service_unavailable")] * 8
    logs = await told(None, *down, None, None, *down[:1], None)
    assert [(entry["log_level"], entry["seconds"]) for entry in logs] == [
        ("warning", 0.0),
        ("warning", 3 * STEP),
        ("warning", 6 * STEP),
        ("info", 8 * STEP),
        ("warning", 0.0),
        ("info", STEP),
    ]


async def test_a_failure_of_another_kind_is_told_at_once() -> None:
    logs = await told(InnoError("service_unavailable"), KeyError("bug"), KeyError("bug"))
    assert [entry["log_level"] for entry in logs] == ["warning", "error"]


async def test_work_that_waits_ends_when_it_is_cancelled() -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    for pause, work in ((forever, forever), (asyncio.Event().wait, forever), (Work().pause, forever)):
        task = asyncio.create_task(repeat("a work", pause, work))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task], timeout=5)
        assert task.cancelled()


async def test_what_is_attempted_once_and_fails_is_logged_and_keeps_nothing_else_from_being_done() -> None:
    async def fail() -> None:
        raise OSError("the disk is gone")

    with capture_logs() as logs:
        await attempt("the last word", fail)
    assert [(said["work"], said["why"]) for said in logs] == [("the last word", "the disk is gone")]


class Stubborn:
    """Work that takes so many cancellations for something else, as one is taken that meets a timeout."""

    def __init__(self, deaf: int) -> None:
        self.deaf = deaf

    async def run(self) -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if self.deaf == 0:
                    raise
                self.deaf -= 1


async def test_work_that_misses_its_end_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("innoai.background.CANCEL_SECONDS", 0.01)
    tasks = [asyncio.create_task(Stubborn(deaf).run()) for deaf in range(CANCELLATIONS)]
    await asyncio.sleep(0)
    await end_all(tasks)
    assert [task.cancelled() for task in tasks] == [True] * CANCELLATIONS


async def test_work_that_never_ends_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("innoai.background.CANCEL_SECONDS", 0.01)
    task = asyncio.create_task(Stubborn(CANCELLATIONS).run())
    await asyncio.sleep(0)
    with capture_logs() as said:
        await end_all([task])
    assert [line["event"] for line in said] == ["background work does not end"]
    await end_all([task])
    assert task.cancelled()
    await end_all([])
