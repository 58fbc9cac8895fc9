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
from benchmarks.peers import PEERS, QUICK_PEERS
from benchmarks.processes import BenchError, cpu_seconds, resident_bytes
from benchmarks.workloads import QUICK_WORKLOADS, WORKLOADS, Workload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.peers.peer import Peer, Target

RESULTS = Path(__file__).with_name("results")
WARM_UP_SECONDS = 1.0


def main() -> int:
    """0 after a whole run, 1 when it could not be made; the figures themselves never fail it."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # unwinds, and so stops what was started
    usual, workloads = (PEERS, WORKLOADS) if options.full else (QUICK_PEERS, QUICK_WORKLOADS)
    peers = [peer for peer in PEERS if peer.name in options.peers] if options.peers else usual
    try:
        machine.require_programs()
        with ExitStack() as stack:
            run = Run(stack, peers, options.rounds, options.seconds)
            samples = list(run.measure(workloads))
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    rows = report.rows(samples)
    print(report.table(rows))
    if not options.peers:
        command = "make bench-full" if options.full else "make bench"
        measured = [peer for peer in peers if peer.name not in run.left_out]
        facts = machine.facts(measured, options.rounds, options.seconds)
        name = "full" if options.full else "latest"
        report.write(RESULTS, name, command, rows, {**facts, **run.left_out})
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--full", action="store_true", help="every peer and workload, instead of the quick ones"
    )
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default: 3)")
    parser.add_argument("--seconds", type=float, default=4, help="of load in each (default: 4)")
    names = [peer.name for peer in PEERS]
    parser.add_argument("--peers", nargs="+", choices=names, help="these alone; writes no result")
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
        pairs = [(workload, *each) for workload in workloads for each in targets]
        pairs = [pair for pair in pairs if self._sample(*pair, WARM_UP_SECONDS) is not None]
        for number in range(self._rounds):
            print(f"round {number + 1} of {self._rounds}", file=sys.stderr)
            for pair in pairs:
                sample = self._sample(*pair, self._seconds)
                if sample is not None:
                    yield sample

    def _start(self, peer: Peer, origins: upstream.Origins) -> Target | None:
        try:
            return self._stack.enter_context(peer.running(self._folder(), origins))
        except BenchError as error:
            self._leave_out(peer, peer.name, error)
            return None

    def _sample(self, workload: Workload, peer: Peer, target: Target, seconds: float) -> report.Sample | None:
        before = _spent(target)
        url, headers = peer.url(target, workload), peer.headers(target, workload)
        try:
            seen = load.post(url, workload.request, headers, seconds, workload.connections)
        except BenchError as error:
            self._leave_out(peer, f"{peer.name}, {workload.title}", error)
            return None
        return report.Sample(
            peer=peer.name,
            workload=workload.name,
            cpu_us=(_spent(target) - before) / seen.requests * 1e6,
            rate=seen.rate,
            p50_ms=seen.p50_ms,
            p99_ms=seen.p99_ms,
            memory_mb=sum(map(resident_bytes, (target.pid, *target.beside))) / 1e6,
        )

    def _leave_out(self, peer: Peer, what: str, error: BenchError) -> None:
        if peer is self._peers[0]:
            raise error
        print(f"left out: {what}: {error}", file=sys.stderr)
        self.left_out[what] = f"left out: {error}"

    def _folder(self) -> Path:
        return Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="innoai-bench-")))


def _spent(target: Target) -> float:
    return sum(map(cpu_seconds, (target.pid, *target.beside)))


if __name__ == "__main__":
    sys.exit(main())
