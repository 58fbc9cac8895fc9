"""How much later an answer comes through a gateway at half of what innoai can carry."""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import load, steady, upstream
from benchmarks.peers.innoai import Innoai
from benchmarks.peers.nginx import Nginx
from benchmarks.workloads import PLAIN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.peers.peer import Peer, Target

FULL_LOAD_SECONDS = 3.0
SECONDS = 5.0
CONNECTIONS = 64
ALONE = "upstream alone"


def measure(folder: Path, rounds: int) -> dict[str, float]:
    """Milliseconds at half load: medians of interleaved rounds, and what a gateway adds to the upstream."""
    with ExitStack() as stack:
        origins = stack.enter_context(upstream.answering(folder))
        asked: dict[str, tuple[str, Mapping[str, str]]] = {
            ALONE: (f"{origins.canned}{PLAIN.path}/chat/completions", {})
        }
        for peer in (Innoai(), Nginx()):
            place = folder / peer.name
            place.mkdir()
            target = stack.enter_context(peer.running(place, origins))
            asked[peer.name] = _where(peer, target)
        full = load.post(
            asked[Innoai.name][0],
            PLAIN.request,
            asked[Innoai.name][1],
            FULL_LOAD_SECONDS,
            PLAIN.connections,
            pids=(),
        )
        half = full.rate / 2
        seen: dict[str, list[steady.Seen]] = {name: [] for name in asked}
        for _ in range(rounds):
            for name, (url, headers) in asked.items():
                plan = steady.Plan(url, PLAIN.request, headers, half, SECONDS, CONNECTIONS)
                seen[name].append(steady.offer(plan))
    figures = {"half load, requests/s": half}
    for quantile in ("p50_ms", "p99_ms"):
        of = {name: median(getattr(each, quantile) for each in rounds) for name, rounds in seen.items()}
        label = quantile.removesuffix("_ms")
        figures |= {f"half load, {label} ms, {name}": value for name, value in of.items()}
        added = {name: value - of[ALONE] for name, value in of.items() if name != ALONE}
        figures |= {f"half load, {label} ms added by {name}": value for name, value in added.items()}
    return figures


def _where(peer: Peer, target: Target) -> tuple[str, Mapping[str, str]]:
    return peer.url(target, PLAIN), peer.headers(target, PLAIN)
