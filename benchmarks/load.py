"""The load: wrk on its own core, with connections that each post one request after another."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.processes import LOAD_CORE, BenchError

if TYPE_CHECKING:
    from collections.abc import Mapping

SCRIPT = Path(__file__).with_name("post.lua")


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw: finished requests, their rate a second, and latencies in milliseconds."""

    requests: int
    rate: float
    p50_ms: float
    p99_ms: float


def post(
    url: str,
    body: str,
    headers: Mapping[str, str],
    seconds: float,
    connections: int,
    method: str = "POST",
    keys: Path | None = None,
) -> Load:
    """Post `body`, or ask by another method, over so many connections for `seconds`.

    Each request presents one of the `keys`, a file with one a line, drawn at random; none without it.

    Raises:
        BenchError: some answer was not a 2xx that arrived whole.
    """
    lines = "\n".join(f"{name}: {value}" for name, value in headers.items())
    environment = {
        **os.environ,
        "BENCH_BODY": body,
        "BENCH_HEADERS": lines,
        "BENCH_METHOD": method,
        "BENCH_KEYS": str(keys or ""),
    }
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds:g}s",
        "--timeout",
        "60s",
        "-s",
        str(SCRIPT),
        url,
    ]
    run = subprocess.run(
        ["taskset", "-c", str(LOAD_CORE), *command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise BenchError(f"wrk failed on {url}: {run.stderr or run.stdout}")
    seen = json.loads(run.stdout.splitlines()[-1])
    if seen["failures"] or not seen["requests"]:
        raise BenchError(
            f"{url}: {seen['requests']} answers, {seen['failures']} of them failures; ask it with curl"
        )
    return Load(
        requests=seen["requests"],
        rate=seen["requests"] / seen["seconds"],
        p50_ms=seen["p50_ms"],
        p99_ms=seen["p99_ms"],
    )
