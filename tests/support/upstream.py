"""The tests' handle on the model server behind the gateway: what it was asked, and how it shall behave."""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tests.support.processes import Child
from tests.support.server import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parents[2]
_markers = itertools.count(1)


def marked(at: dict[str, dict[str, object]] | None = None, **behaviour: object) -> tuple[str, dict[str, str]]:
    """A new marker, and the headers that bear it and say how to behave: `marked(status=500)`.

    `at` says it for single base URLs by their names: `marked(at={"first": {"status": 500}})`.
    """
    marker = f"m{next(_markers)}"
    headers = {f"x-behave-{name}": json.dumps(there) for name, there in (at or {}).items()}
    return marker, {"x-marker": marker, "x-behave": json.dumps(behaviour), **headers}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the model server got it, and what it sent in return."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int
    sent: bytes
    usage: dict[str, Any] | None
    outcome: str

    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


class Upstream:
    """A running model server."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.support.model_server"]
        self._child = Child(command, _ROOT, clean_environment())
        self._child.wait_until_listening()
        self._control = httpx.Client(base_url=f"{self._child.address}/control", timeout=20)

    def base_url(self, name: str = "models") -> str:
        """One of any number of addresses of it, by the name that behaviours go by."""
        return f"{self._child.address}/{name}/v1"

    def requests(self, marker: str) -> list[Asked]:
        """What came with that marker so far."""
        return self._ask("requests", marker)

    def request(self, marker: str) -> Asked:
        """The only request with that marker."""
        (asked,) = self.requests(marker)
        return asked

    def begun(self, marker: str) -> list[Asked]:
        """Wait until a request with that marker has come."""
        return self._ask("begun", marker)

    def ended(self, marker: str) -> list[Asked]:
        """Wait until nothing with that marker is under way."""
        return self._ask("ended", marker)

    def release(self, marker: str) -> None:
        """Let those with that marker answer that hold still."""
        self._ask("release", marker)

    def close(self) -> None:
        """End it."""
        self._control.close()
        self._child.kill()

    def _ask(self, what: str, marker: str) -> list[Asked]:
        answer = self._control.get(f"/{what}", params={"marker": marker}).raise_for_status()
        return [
            Asked(
                record["method"],
                record["target"],
                dict(record["headers"]),
                record["body"].encode("latin-1"),
                record["connection"],
                record["sent"].encode(),
                record["usage"],
                record["outcome"],
            )
            for record in answer.json()
        ]


def running() -> Iterator[Upstream]:
    """A model server while it is used."""
    upstream = Upstream()
    try:
        yield upstream
    finally:
        upstream.close()
