"""What a figure has to be read with: the machine and the versions."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.processes import BenchError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.peers.peer import Peer

DEBIAN_PACKAGES = {"nginx": "nginx-light", "wrk": "wrk", "taskset": "util-linux"}


def require_programs() -> None:
    """BenchError that names the packages, when a program is missing or there is one core only."""
    missing = [package for program, package in DEBIAN_PACKAGES.items() if not shutil.which(program)]
    if missing:
        raise BenchError(f"the benchmarks want more programs: apt-get install {' '.join(missing)}")
    require_cores()


def require_cores() -> None:
    """BenchError when there is one core only."""
    if len(os.sched_getaffinity(0)) < 2:
        raise BenchError("the benchmarks want two cores: one for the gateway, one for the load")


def facts(peers: Iterable[Peer], rounds: int, seconds: float) -> dict[str, str]:
    """For the report: name of the fact, and what it is."""
    return {
        **host(),
        "gateways": ", ".join(peer.version() for peer in peers),
        "load": f"{_wrk_version()}, 32 connections, {rounds} interleaved rounds of {seconds:g} s, medians",
    }


def host() -> dict[str, str]:
    """The machine, and the day."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _wrk_version() -> str:
    run = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False)
    return " ".join((run.stdout or run.stderr).split()[:2])
