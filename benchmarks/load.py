"""The load: wrk on its own core, with connections that each post one request after another."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.processes import LOAD_CORE, BenchError, cpu_seconds, output_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCRIPT = Path(__file__).with_name("post.lua")


class NoAnswerError(BenchError):
    """Not one request was answered in time."""


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw: finished requests, their rate a second, and latencies in milliseconds.

    `cpu_us` is what each of them cost the processes that were watched, in microseconds of processor time.
    """

    requests: int
    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


def post(
    url: str,
    body: str,
    headers: Mapping[str, str],
    seconds: float,
    connections: int,
    *,
    pids: Sequence[int],
    method: str = "POST",
    keys: Path | None = None,
) -> Load:
    """Post `body`, or ask by another method, over so many connections for `seconds`; watch `pids` meanwhile.

    Each request presents one of the `keys`, a file with one a line, drawn at random; none without it.

    Raises:
        NoAnswerError: there was none.
        BenchError: some answer was not a 2xx that arrived whole.
    """
    environment = {
        "BENCH_BODY": body,
        "BENCH_HEADERS": "\n".join(f"{name}: {value}" for name, value in headers.items()),
        "BENCH_METHOD": method,
        "BENCH_KEYS": str(keys or ""),
    }
    bounds = ["-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "60s"]
    before = sum(map(cpu_seconds, pids))
    told = output_of(
        ["wrk", *bounds, "-s", str(SCRIPT), url],
        core=LOAD_CORE,
        folder=SCRIPT.parent,
        environment=environment,
    )
    spent = sum(map(cpu_seconds, pids)) - before
    seen = json.loads(told.splitlines()[-1])
    if not seen["requests"]:
        raise NoAnswerError(f"{url}: no answer in {seconds:g} s")
    if seen["failures"]:
        raise BenchError(
            f"{url}: {seen['requests']} answers, {seen['failures']} of them failures; ask it with curl"
        )
    return Load(
        requests=seen["requests"],
        rate=seen["requests"] / seen["seconds"],
        p50_ms=seen["p50_ms"],
        p99_ms=seen["p99_ms"],
        cpu_us=spent / seen["requests"] * 1e6,
    )
