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
from benchmarks.peers import PEERS
from benchmarks.processes import BenchError, cpu_seconds
from benchmarks.workloads import WORKLOADS, Workload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.peers.peer import Peer, Target

RESULTS = Path(__file__).with_name("results")
WARM_UP_SECONDS = 1.0


def main() -> int:
    """0 after a whole run, 1 when it could not be made; the figures themselves never fail it."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # unwinds, and so stops what was started
    try:
        machine.require_programs()
        peers = [peer for peer in PEERS if peer.name in options.peers]
        samples = list(_measure(peers, options.rounds, options.seconds))
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    rows = report.rows(samples)
    print(report.table(rows))
    if len(peers) == len(PEERS):
        report.write(RESULTS, rows, machine.facts(peers, options.rounds, options.seconds))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default: 3)")
    parser.add_argument("--seconds", type=float, default=4, help="of load in each (default: 4)")
    parser.add_argument(
        "--peers", nargs="+", default=[peer.name for peer in PEERS], help="default: all of them"
    )
    return parser.parse_args()


def _measure(peers: Sequence[Peer], rounds: int, seconds: float) -> Iterator[report.Sample]:
    with ExitStack() as stack:
        origin = stack.enter_context(upstream.answering(_folder(stack)))
        targets = [stack.enter_context(peer.running(_folder(stack), origin)) for peer in peers]
        for workload in WORKLOADS:
            for peer, target in zip(peers, targets, strict=True):
                _sample(peer, target, workload, WARM_UP_SECONDS)
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
            for workload in WORKLOADS:
                for peer, target in zip(peers, targets, strict=True):
                    yield _sample(peer, target, workload, seconds)


def _folder(stack: ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="innoai-bench-")))


def _sample(peer: Peer, target: Target, workload: Workload, seconds: float) -> report.Sample:
    before = cpu_seconds(target.pid)
    seen = load.post(peer.url(target, workload), workload.request, target.credential, seconds)
    spent = cpu_seconds(target.pid) - before
    return report.Sample(
        peer=peer.name,
        workload=workload.name,
        cpu_us=spent / seen.requests * 1e6,
        rate=seen.rate,
        p50_ms=seen.p50_ms,
        p99_ms=seen.p99_ms,
    )


if __name__ == "__main__":
    sys.exit(main())
