"""`python -m benchmarks.full --part NAME`: what is measured of innoai alone, into results/NAME.*."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import machine
from benchmarks.parts import auth, revocation, scale
from benchmarks.peers.innoai import Innoai
from benchmarks.processes import BenchError

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = Path(__file__).with_name("results")
PARTS: dict[str, tuple[Callable[[Path, int], dict[str, float]], int]] = {
    "auth": (auth.measure, 3),
    "revocation": (revocation.measure, 20),
    "scale": (scale.measure, 3),
}
"""Each part, and how many rounds it makes unless told."""


def main() -> int:
    """0 after a whole run, 1 when it could not be made; the figures themselves never fail it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.full", description=__doc__)
    parser.add_argument("--part", choices=PARTS, required=True)
    parser.add_argument("--rounds", type=int, help="fewer or more rounds; writes no result")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # unwinds, and so stops what was started
    measure, rounds = PARTS[options.part]
    try:
        machine.require_programs()
        with tempfile.TemporaryDirectory(prefix="innoai-bench-") as folder:
            figures = measure(Path(folder), options.rounds or rounds)
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    lines = ["| what | figure |", "| --- | --- |", *(f"| {what} | {v:,.1f} |" for what, v in figures.items())]
    print("\n".join(lines))
    if options.rounds is None:
        _write(options.part, rounds, figures, "\n".join(lines))
    return 0


def _write(part: str, rounds: int, figures: dict[str, float], table: str) -> None:
    command = f"python -m benchmarks.full --part {part}"
    facts = {**machine.facts([Innoai()], rounds, auth.SECONDS)}
    facts["load"] = f"{rounds} rounds; benchmarks/parts/{part}.py says of what"
    told = {"command": command, "machine": facts, "figures": figures}
    (RESULTS / f"{part}.json").write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    listed = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    (RESULTS / f"{part}.md").write_text(f"# Latest run of `{command}`\n\n{table}\n\n{listed}\n")


if __name__ == "__main__":
    sys.exit(main())
