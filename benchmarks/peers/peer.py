"""What a measured gateway has to offer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from benchmarks.workloads import Workload


@dataclass(frozen=True, slots=True)
class Target:
    """A running gateway: its first process, its origin and what its callers must present."""

    pid: int
    origin: str
    credential: str | None = None


class Peer(ABC):
    """A gateway, started afresh for each run on GATEWAY_CORE with the canned model server behind it."""

    name: ClassVar[str]

    @abstractmethod
    def version(self) -> str:
        """Name and version of what runs, for the report."""

    @abstractmethod
    def running(self, folder: Path, upstream: str) -> AbstractContextManager[Target]:
        """Keep the gateway running out of the empty `folder`, in front of the origin `upstream`."""

    def url(self, target: Target, workload: Workload) -> str:
        """Where the workload is posted: as OpenAI's clients do, unless the peer needs another path."""
        del workload
        return f"{target.origin}/v1/chat/completions"
