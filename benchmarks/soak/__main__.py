"""`make soak`: full load with callers that misbehave and a model server that dies, and then the accounts."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from benchmarks import machine
from benchmarks.installation import Installation
from benchmarks.peers.innoai import Innoai
from benchmarks.processes import LOAD_CORE, BenchError, free_port, running
from benchmarks.soak import accounts, report, watch
from benchmarks.soak.callers import Book, Callers

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.installation import Replica
    from benchmarks.soak.watch import Sample

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks/results"
WHOLE_SECONDS = 600.0
"""A soak of at least this length is left in results/."""

LIFE_SECONDS, DEAD_SECONDS = 25.0, 1.0
"""How long the model server lives each time, and how long it is gone."""

SAMPLE_SECONDS = 1.0
PATIENCE_SECONDS = 90.0
"""For all records to arrive, and for all that was under way to end."""

MEMORY_MB, YOUNG_MEMORY_MB = 6.0, 20.0
"""By so much memory may grow over the second half, and in a soak that ends within YOUNG_SECONDS.

SQLite's pages and the allocator's free lists move it, and they are filled first.
"""

YOUNG_SECONDS = 120.0

SPARE_FILES = 40
"""More files than at the start that are no leak: SQLite opens connections as needed, three files each."""

KINDS = ("plain", "burst", "paced", "large")
MODEL = '[models.{kind}]\nupstreams = [{{ base_url = "http://127.0.0.1:{port}/{kind}/v1" }}]\n'


def main() -> int:
    """0 when everything held, 1 when something did not, or the soak could not be made."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=WHOLE_SECONDS, help="of load (default: 600)")
    seconds = parser.parse_args().seconds
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # unwinds, and so stops what was started
    try:
        machine.require_cores()
        with tempfile.TemporaryDirectory(prefix="innoai-soak-") as folder:
            told = _run(Path(folder), seconds)
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    print(told.text)
    if seconds >= WHOLE_SECONDS:
        told.write(RESULTS, {**machine.host(), "gateway": Innoai().version()})
    for sentence in told.wrong:
        print(f"does not hold: {sentence}", file=sys.stderr)
    return 1 if told.wrong else 0


def _run(folder: Path, seconds: float) -> report.Report:
    port = free_port()
    served, seen = folder / "served", folder / "seen"
    served.touch()
    installation = Installation.make(folder, "".join(MODEL.format(kind=kind, port=port) for kind in KINDS))
    with ExitStack() as stack:
        replica = stack.enter_context(installation.serving())
        key = installation.new_key(replica)[1]
        book = Book(stack.enter_context(seen.open("w")))
        before = watch.sample(replica, 0.0)
        upstream = _Upstream(folder, port, served, min(LIFE_SECONDS, seconds / 3))
        stack.callback(upstream.stop)
        upstream.start()
        os.sched_setaffinity(0, {LOAD_CORE})
        samples = uvloop.run(_load(replica, key, book, seconds))
        book.lines.flush()
        store = folder / "innoai.db"
        _wait_until(lambda: accounts.count_records(store) >= book.answers)
        after = _at_rest(replica, before, seconds)
        compared = accounts.compare(store, seen, served)
        wrong = [
            *compared.wrong,
            *_leaks(before, after),
            *_complaints(book, upstream),
            *_logged(installation, replica),
        ]
    grown = watch.growth_mb(samples)
    if grown > (MEMORY_MB if seconds > YOUNG_SECONDS else YOUNG_MEMORY_MB):
        wrong.append(f"memory is not flat: it grew by {grown:.1f} MB over the second half")
    return report.Report(
        seconds, book.answers, book.refused, compared, samples, after, grown, upstream.deaths, wrong
    )


async def _load(replica: Replica, key: str, book: Book, seconds: float) -> list[Sample]:
    """Have the callers at work for that long, and look at the gateway meanwhile."""
    host, _, port = replica.origin.removeprefix("http://").rpartition(":")
    until = asyncio.Event()
    samples: list[Sample] = []
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        group.create_task(Callers((host, int(port)), key, book).run(until))
        while (passed := time.monotonic() - began) < seconds:
            await asyncio.sleep(SAMPLE_SECONDS)
            samples.append(await asyncio.to_thread(watch.sample, replica, passed))
        until.set()
    return samples


class _Upstream:
    """The model server, which is killed and comes back until it is told to stop."""

    def __init__(self, folder: Path, port: int, served: Path, life: float) -> None:
        self._place = folder / "models"
        self._place.mkdir()
        self._port = port
        self._served = served
        self._life = life
        self._stopping = threading.Event()
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._live)
        self.deaths = 0
        self.trouble: str | None = None

    def start(self) -> None:
        """Wait until it answers."""
        self._thread.start()
        self._is_up.wait(PATIENCE_SECONDS)

    def stop(self) -> None:
        """For good."""
        self._stopping.set()
        self._thread.join()

    def _live(self) -> None:
        command = [sys.executable, "-m", "benchmarks.soak.models", str(self._port), str(self._served)]
        environment = {"PYTHONPATH": str(ROOT)}
        while not self._stopping.is_set():
            try:
                with running(
                    command, core=LOAD_CORE, port=self._port, folder=self._place, environment=environment
                ) as pid:
                    self._is_up.set()
                    if not self._stopping.wait(self._life):
                        os.kill(pid, signal.SIGKILL)
                        self.deaths += 1
            except BenchError as error:
                self.trouble = str(error)
                self._is_up.set()
                return
            self._stopping.wait(DEAD_SECONDS)


def _at_rest(replica: Replica, before: Sample, second: float) -> Sample:
    """How the gateway is once nothing is under way, or after all patience."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        now = watch.sample(replica, second)
        if (now.busy == now.connecting == 0 and now.tasks <= before.tasks) or time.monotonic() > deadline:
            return now
        time.sleep(SAMPLE_SECONDS)


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds() and time.monotonic() < deadline:
        time.sleep(SAMPLE_SECONDS)


def _leaks(before: Sample, after: Sample) -> list[str]:
    wrong = []
    if after.busy or after.connecting:
        wrong.append(f"{after.busy} connections to the model server are at work, and nobody asked")
    if after.tasks > before.tasks:
        wrong.append(f"{after.tasks - before.tasks} tasks are left over")
    more = (after.files - after.idle) - (before.files - before.idle)
    if more > SPARE_FILES:
        wrong.append(f"{more} files or sockets more are open than at the start")
    return wrong


def _complaints(book: Book, upstream: _Upstream) -> list[str]:
    wrong = []
    if book.unanswered:
        wrong.append(f"{len(book.unanswered)} requests met no answer, such as {book.unanswered[0]}")
    if upstream.trouble is not None:
        wrong.append(f"the model server did not come back: {upstream.trouble}")
    return wrong


def _logged(installation: Installation, replica: Replica) -> list[str]:
    """Errors that the gateway has logged: whatever happens here, it has to be ready for."""
    port = replica.origin.rpartition(":")[2]
    log = (installation.folder / port / "output.log").read_text()
    errors = [line for line in log.splitlines() if '"level": "error"' in line or not _is_event(line)]
    return [f"the gateway logged {len(errors)} errors, such as {errors[0]}"] if errors else []


def _is_event(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


if __name__ == "__main__":
    sys.exit(main())
