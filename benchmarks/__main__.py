"""`python -m benchmarks`: every peer in every round, medians as a table and as files in results/."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import load, machine, report, upstream
from benchmarks.parts import PARTS
from benchmarks.peers import PEERS, QUICK_PEERS
from benchmarks.processes import BenchError, anonymous_bytes
from benchmarks.workloads import QUICK_WORKLOADS, WORKLOADS, Workload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from benchmarks.peers.peer import Peer, Target

RESULTS = Path(__file__).with_name("results")
WARM_UP_SECONDS = 1.0
SLOW_SECONDS = 20.0
"""Of load for a peer that answers nothing within the warm-up."""

ROUNDS = 3


def main() -> int:
    """0 after a whole run, 1 when it could not be made; the figures themselves never fail it."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # unwinds, and so stops what was started
    try:
        machine.require_programs()
        if options.part:
            print(report.figures_table(_figures(options.part, options.rounds)))
        else:
            _compare(options)
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _compare(options: argparse.Namespace) -> None:
    usual, workloads = (PEERS, WORKLOADS) if options.full else (QUICK_PEERS, QUICK_WORKLOADS)
    peers = [peer for peer in PEERS if peer.name in options.peers] if options.peers else usual
    rounds = options.rounds or ROUNDS
    with ExitStack() as stack:
        run = Run(stack, peers, rounds, options.seconds)
        rows = report.rows(list(run.measure(workloads)))
    print(report.table(rows))
    if options.peers:
        return
    figures = _figures(PARTS, None) if options.full else {}
    if figures:
        print(report.figures_table(figures))
    measured = [peer for peer in peers if peer.name not in run.left_out]
    facts = {**machine.facts(measured, rounds, options.seconds), **run.left_out}
    name, command = ("full", "make bench-full") if options.full else ("latest", "make bench")
    report.write(RESULTS, name, command, facts, rows, figures)


def _figures(parts: Iterable[str], rounds: int | None) -> dict[str, float]:
    """What these parts measure, each with its own number of rounds unless told."""
    figures: dict[str, float] = {}
    for name in parts:
        print(f"part {name}", file=sys.stderr)
        part = PARTS[name]
        with tempfile.TemporaryDirectory(prefix="innoai-bench-") as folder:
            figures |= part.measure(Path(folder), rounds or part.rounds)
    return figures


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--full", action="store_true", help="every peer, workload and part; else the quick ones"
    )
    names = [peer.name for peer in PEERS]
    parser.add_argument("--peers", nargs="+", choices=names, help="these alone; writes no result")
    what.add_argument("--part", nargs="+", choices=PARTS, help="these parts alone; writes no result")
    parser.add_argument("--rounds", type=int, help=f"interleaved rounds ({ROUNDS}; a part has its own)")
    parser.add_argument("--seconds", type=int, default=4, help="of load in each (default: 4)")
    return parser.parse_args()


class Run:
    """One run: everything is started once, and what fails is left out with its reason.

    Not so the first peer: without it there is nothing to compare with, so its failure ends the run.
    """

    def __init__(self, stack: ExitStack, peers: Sequence[Peer], rounds: int, seconds: float) -> None:
        self._stack = stack
        self._peers = peers
        self._rounds = rounds
        self._seconds = seconds
        self.left_out: dict[str, str] = {}
        """Peers, or a peer's workloads, that could not be measured, and why."""

    def measure(self, workloads: Sequence[Workload]) -> Iterator[report.Sample]:
        """The samples of every round, after a warm-up."""
        origins = self._stack.enter_context(upstream.answering(self._folder()))
        targets = [
            (peer, target) for peer in self._peers if (target := self._start(peer, origins)) is not None
        ]
        pairs = [
            (*pair, seconds)
            for pair in ((workload, *each) for workload in workloads for each in targets)
            if (seconds := self._warm_up(*pair)) is not None
        ]
        for number in range(self._rounds):
            print(f"round {number + 1} of {self._rounds}", file=sys.stderr)
            for pair in pairs:
                sample = self._sample(*pair)
                if sample is not None:
                    yield sample

    def _start(self, peer: Peer, origins: upstream.Origins) -> Target | None:
        try:
            return self._stack.enter_context(peer.running(self._folder(), origins))
        except BenchError as error:
            self._leave_out(peer, peer.name, error)
            return None

    def _warm_up(self, workload: Workload, peer: Peer, target: Target) -> float | None:
        """Seconds of load that a sample of it takes; None where it cannot be measured."""
        try:
            self._load(workload, peer, target, WARM_UP_SECONDS)
        except load.NoAnswerError:
            return None if self._sample(workload, peer, target, SLOW_SECONDS) is None else SLOW_SECONDS
        except BenchError as error:
            self._leave_out(peer, f"{peer.name}, {workload.title}", error)
            return None
        return self._seconds

    def _sample(self, workload: Workload, peer: Peer, target: Target, seconds: float) -> report.Sample | None:
        try:
            return self._load(workload, peer, target, seconds)
        except BenchError as error:
            self._leave_out(peer, f"{peer.name}, {workload.title}", error)
            return None

    def _load(self, workload: Workload, peer: Peer, target: Target, seconds: float) -> report.Sample:
        url, headers = peer.url(target, workload), peer.headers(target, workload)
        pids = (target.pid, *target.beside)
        seen = load.post(url, workload.request, headers, seconds, workload.connections, pids=pids)
        return report.Sample(
            peer=peer.name,
            workload=workload.name,
            cpu_us=seen.cpu_us,
            rate=seen.rate,
            p50_ms=seen.p50_ms,
            p99_ms=seen.p99_ms,
            memory_mb=sum(map(anonymous_bytes, pids)) / 1e6,
        )

    def _leave_out(self, peer: Peer, what: str, error: BenchError) -> None:
        if peer is self._peers[0]:
            raise error
        print(f"left out: {what}: {error}", file=sys.stderr)
        self.left_out[what] = f"left out: {error}"

    def _folder(self) -> Path:
        return Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="innoai-bench-")))


if __name__ == "__main__":
    sys.exit(main())
