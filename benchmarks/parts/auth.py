"""What the questions about a credential cost: validate, forward authentication, and minted tokens."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from benchmarks import load
from benchmarks.installation import Installation

if TYPE_CHECKING:
    from pathlib import Path

CONNECTIONS = 32
SECONDS = 4.0
QUESTIONS = {
    "validate": ("GET", "/v1/auth/validate"),
    "forward": ("GET", "/v1/auth/forward"),
    "token": ("POST", "/v1/auth/token"),
}


def measure(folder: Path, rounds: int) -> dict[str, float]:
    """CPU microseconds a request and requests a second on one core: medians of interleaved rounds."""
    installation = Installation.make(folder)
    spent: dict[str, list[float]] = {name: [] for name in QUESTIONS}
    rates: dict[str, list[float]] = {name: [] for name in QUESTIONS}
    with installation.serving() as replica:
        headers = {"Authorization": f"Bearer {installation.new_key(replica)[1]}"}
        for _ in range(rounds):
            for name, (method, path) in QUESTIONS.items():
                body = "{}" if method == "POST" else ""
                seen = load.post(
                    replica.origin + path,
                    body,
                    headers,
                    SECONDS,
                    CONNECTIONS,
                    pids=(replica.pid,),
                    method=method,
                )
                spent[name].append(seen.cpu_us)
                rates[name].append(seen.rate)
    figures = {f"{name}, CPU µs/request": median(values) for name, values in spent.items()}
    return figures | {f"{name}, requests/s": median(values) for name, values in rates.items()}
