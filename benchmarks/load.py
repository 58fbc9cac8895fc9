"""The load: wrk on its own core, with 32 connections that each post one request after another."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import LOAD_CORE, BenchError

CONNECTIONS = 32
SCRIPT = Path(__file__).with_name("post.lua")


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw: finished requests, their rate a second, and latencies in milliseconds."""

    requests: int
    rate: float
    p50_ms: float
    p99_ms: float


def post(url: str, body: str, credential: str | None, seconds: float) -> Load:
    """Post `body` for `seconds`; BenchError unless every answer was a 2xx that arrived whole."""
    environment = {**os.environ, "BENCH_BODY": body, "BENCH_CREDENTIAL": credential or ""}
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "-s", str(SCRIPT), url]
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
