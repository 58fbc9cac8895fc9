"""What the gateway holds, sampled from outside: memory, open files, connections and tasks."""

from __future__ import annotations

import re
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.processes import anonymous_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.installation import Replica

_GAUGE = re.compile(r'^innoai_(?:upstream_connections\{state="(\w+)"\}|(tasks)) (\S+)$', re.MULTILINE)
MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Sample:
    """At `second` of the soak."""

    second: float
    memory_mb: float
    files: int
    idle: int
    busy: int
    connecting: int
    tasks: int


def sample(replica: Replica, second: float) -> Sample:
    """How it is now."""
    with urllib.request.urlopen(f"{replica.origin}/metrics", timeout=30) as answer:
        told = answer.read().decode()
    gauges = {state or other: int(float(value)) for state, other, value in _GAUGE.findall(told)}
    return Sample(
        second=second,
        memory_mb=anonymous_bytes(replica.pid) / MEGABYTE,
        files=len(list(Path(f"/proc/{replica.pid}/fd").iterdir())),
        idle=gauges["idle"],
        busy=gauges["busy"],
        connecting=gauges["connecting"],
        tasks=gauges["tasks"],
    )


def growth_mb(samples: Sequence[Sample]) -> float:
    """Megabytes by which memory grew over the second half: the slope of a straight line through it."""
    half = [each for each in samples if each.second >= samples[-1].second / 2]
    seconds = [each.second for each in half]
    middle = sum(seconds) / len(half)
    mean = sum(each.memory_mb for each in half) / len(half)
    spread = sum((second - middle) ** 2 for second in seconds)
    if not spread:
        return 0.0
    slope = sum((each.second - middle) * (each.memory_mb - mean) for each in half) / spread
    return slope * (seconds[-1] - seconds[0])
