"""How long a revoked key is still admitted, on the replica that revoked it and on another one."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING

import httpx

from benchmarks.installation import Installation, Replica
from benchmarks.processes import BenchError

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_SECONDS = 5.0


def measure(folder: Path, rounds: int) -> dict[str, float]:
    """Milliseconds from the answer of DELETE to the last admitted request begun after it; 0 for none."""
    installation = Installation.make(folder)
    with ExitStack() as stack:
        replicas = [stack.enter_context(installation.serving()) for _ in range(2)]
        samples = [_revoke(installation, replicas) for _ in range(rounds)]
    figures = {}
    for name, values in zip(("same replica", "second replica"), zip(*samples, strict=True), strict=True):
        figures[f"revocation, {name}, median ms"] = median(values)
        figures[f"revocation, {name}, worst ms"] = max(values)
    return figures


class _Asker(threading.Thread):
    """Validates a key again and again until it is refused; remembers when each admitted request began."""

    def __init__(self, replica: Replica, key: str) -> None:
        super().__init__(daemon=True)
        self._url = f"{replica.origin}/v1/auth/validate"
        self._headers = {"Authorization": f"Bearer {key}"}
        self.admitted = threading.Event()
        self.last_admitted = 0.0
        self.refused = False

    def run(self) -> None:
        deadline = time.monotonic() + 2 * PATIENCE_SECONDS
        with httpx.Client(headers=self._headers) as client:
            while not self.refused and (begun := time.monotonic()) < deadline:
                status = client.get(self._url).status_code
                self.refused = status == httpx.codes.UNAUTHORIZED
                if status == httpx.codes.OK:
                    self.last_admitted = begun
                    self.admitted.set()


def _revoke(installation: Installation, replicas: list[Replica]) -> list[float]:
    key_id, key = installation.new_key(replicas[0])
    askers = [_Asker(replica, key) for replica in replicas]
    for asker in askers:
        asker.start()
    if not all(asker.admitted.wait(PATIENCE_SECONDS) for asker in askers):
        raise BenchError("a fresh key was not admitted by every replica")
    url, headers = (
        f"{replicas[0].origin}/v1/keys/{key_id}",
        {"Authorization": f"Bearer {installation.admin_key}"},
    )
    httpx.delete(url, headers=headers).raise_for_status()
    answered = time.monotonic()
    for asker in askers:
        asker.join(3 * PATIENCE_SECONDS)
    if not all(asker.refused for asker in askers):
        raise BenchError("a revoked key was never refused")
    return [max(0.0, asker.last_admitted - answered) * 1e3 for asker in askers]
