"""What is measured of innoai alone: one file each, run by `python -m benchmarks --part NAME` and `--full`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from benchmarks.parts import auth, latency, revocation, scale

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


class Part(NamedTuple):
    """`measure` gives figures by name, worked out in an empty folder in so many `rounds`."""

    measure: Callable[[Path, int], dict[str, float]]
    rounds: int


PARTS: Mapping[str, Part] = {
    "auth": Part(auth.measure, 3),
    "latency": Part(latency.measure, 5),
    "scale": Part(scale.measure, 3),
    "revocation": Part(revocation.measure, 20),
}
