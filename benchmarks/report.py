"""Medians and ratios of a run, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

TARGET_RATIO = 3.5
TARGET_WORKLOAD = "plain"
COMMAND = "make bench"


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one peer: CPU microseconds a request, requests a second, latencies in milliseconds."""

    peer: str
    workload: str
    cpu_us: float
    rate: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Row:
    """The medians of a peer's rounds; `ratio` is its CPU over that of the limit, the first peer."""

    peer: str
    workload: str
    cpu_us: float
    ratio: float
    rate: float
    p50_ms: float
    p99_ms: float
    rounds: tuple[float, ...]


def rows(samples: Sequence[Sample]) -> list[Row]:
    """One row a workload and peer, in the order measured."""
    limit = {w.name: _median(samples, samples[0].peer, w.name, "cpu_us") for w in WORKLOADS}
    pairs = dict.fromkeys((sample.workload, sample.peer) for sample in samples)
    return [_row(samples, peer, workload, limit[workload]) for workload, peer in sorted(pairs, key=_order)]


def table(rows_: Sequence[Row]) -> str:
    """Markdown, aligned for a terminal too."""
    titles = {workload.name: workload.title for workload in WORKLOADS}
    lines = [["workload", "gateway", "CPU µs/request", "x limit", "requests/s", "p50 ms", "p99 ms"]]
    lines += [
        [
            titles[row.workload],
            row.peer,
            f"{row.cpu_us:.1f}",
            f"{row.ratio:.2f}",
            f"{row.rate:,.0f}",
            f"{row.p50_ms:.2f}",
            f"{row.p99_ms:.2f}",
        ]
        for row in rows_
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def write(folder: Path, rows_: Sequence[Row], machine: Mapping[str, str]) -> None:
    """Leave `latest.json` and `latest.md` in `folder`."""
    folder.mkdir(exist_ok=True)
    facts = {"command": COMMAND, "machine": dict(machine), "rows": [asdict(row) for row in rows_]}
    (folder / "latest.json").write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    told = "\n".join(f"- {name}: {value}" for name, value in machine.items())
    (folder / "latest.md").write_text(f"# Latest run of `{COMMAND}`\n\n{table(rows_)}\n\n{told}\n")


def _order(pair: tuple[str, str]) -> int:
    return [workload.name for workload in WORKLOADS].index(pair[0])


def _row(samples: Sequence[Sample], peer: str, workload: str, limit: float) -> Row:
    def middle(field: str) -> float:
        return _median(samples, peer, workload, field)

    cpu_us = middle("cpu_us")
    return Row(
        peer=peer,
        workload=workload,
        cpu_us=cpu_us,
        ratio=cpu_us / limit,
        rate=middle("rate"),
        p50_ms=middle("p50_ms"),
        p99_ms=middle("p99_ms"),
        rounds=tuple(s.cpu_us for s in samples if (s.peer, s.workload) == (peer, workload)),
    )


def _median(samples: Sequence[Sample], peer: str, workload: str, field: str) -> float:
    values: list[float] = [getattr(s, field) for s in samples if (s.peer, s.workload) == (peer, workload)]
    return median(values)
