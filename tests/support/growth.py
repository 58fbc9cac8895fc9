"""How the time that something takes grows with its input: no absolute time, which says nothing here."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TIMES = 8
ROUNDS = 3
LINEAR = 3 * TIMES
"""What takes longer than in proportion takes TIMES squared, 64; noise is below this."""


def growth(work: Callable[[int], object], size: int) -> float:
    """How many times as long `work` takes with TIMES the size: the best of ROUNDS each, interleaved."""
    small, large = [], []
    for _ in range(ROUNDS):
        small.append(_seconds(work, size))
        large.append(_seconds(work, TIMES * size))
    return min(large) / min(small)


def _seconds(work: Callable[[int], object], size: int) -> float:
    begin = time.process_time()
    work(size)
    return time.process_time() - begin
