"""Medians and ratios of a run, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import plot
from benchmarks.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one peer: CPU microseconds a request, requests a second, latencies in milliseconds, memory
    that is in no file in megabytes."""

    peer: str
    workload: str
    cpu_us: float
    rate: float
    p50_ms: float
    p99_ms: float
    memory_mb: float


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
    memory_mb: float
    rounds: tuple[float, ...]


def rows(samples: Sequence[Sample]) -> list[Row]:
    """One row a workload and peer, in the order measured."""
    pairs = dict.fromkeys((sample.workload, sample.peer) for sample in samples)
    first = samples[0].peer
    limit = {name: _median(samples, first, name, "cpu_us") for name, peer in pairs if peer == first}
    return [_row(samples, peer, workload, limit[workload]) for workload, peer in sorted(pairs, key=_order)]


def table(rows_: Sequence[Row]) -> str:
    """Markdown, aligned for a terminal too."""
    titles = {workload.name: workload.title for workload in WORKLOADS}
    lines = [["workload", "gateway", "CPU µs/request", "x limit", "requests/s", "p50 ms", "p99 ms", "MB"]]
    lines += [
        [
            titles[row.workload],
            row.peer,
            f"{row.cpu_us:.1f}",
            f"{row.ratio:.2f}",
            f"{row.rate:,.0f}",
            f"{row.p50_ms:.2f}",
            f"{row.p99_ms:.2f}",
            f"{row.memory_mb:,.0f}",
        ]
        for row in rows_
    ]
    return _aligned(lines)


def figures_table(figures: Mapping[str, float]) -> str:
    """Markdown of single figures."""
    return _aligned([["what", "figure"], *([what, _shown(figure)] for what, figure in figures.items())])


def write(
    folder: Path,
    name: str,
    command: str,
    machine: Mapping[str, str],
    rows_: Sequence[Row],
    figures: Mapping[str, float],
) -> None:
    """Leave `name`.json, `name`.md and `name`.svg in `folder`. `figures` are those of innoai alone."""
    folder.mkdir(exist_ok=True)
    facts = {
        "command": command,
        "machine": dict(machine),
        "rows": [asdict(row) for row in rows_],
        "figures": dict(figures),
    }
    (folder / f"{name}.json").write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    alone = f"innoai alone:\n\n{figures_table(figures)}\n\n" if figures else ""
    told = "\n".join(f"- {fact}: {value}" for fact, value in machine.items())
    (folder / f"{name}.md").write_text(f"# Latest run of `{command}`\n\n{table(rows_)}\n\n{alone}{told}\n")
    first = [(row.peer, row.cpu_us) for row in rows_ if row.workload == WORKLOADS[0].name]
    (folder / f"{name}.svg").write_text(plot.bars("CPU µs per request, plain", first))


def _aligned(lines: list[list[str]]) -> str:
    """Rows of cells as Markdown; the first is the heading."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines = [lines[0], ["-" * width for width in widths], *lines[1:]]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def _shown(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 1000 else f"{figure:.1f}" if figure >= 10 else f"{figure:.3f}"


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
        memory_mb=middle("memory_mb"),
        rounds=tuple(s.cpu_us for s in samples if (s.peer, s.workload) == (peer, workload)),
    )


def _median(samples: Sequence[Sample], peer: str, workload: str, field: str) -> float:
    values: list[float] = [getattr(s, field) for s in samples if (s.peer, s.workload) == (peer, workload)]
    return median(values)
