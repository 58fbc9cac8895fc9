"""What a measured gateway has to offer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from benchmarks.upstream import Origins
    from benchmarks.workloads import Workload


@dataclass(frozen=True, slots=True)
class Target:
    """A running gateway: its first process, its origin and what its callers must present.

    `beside` are other processes that work for the same requests; `origins` where the model servers are, for
    a peer that its callers have to tell.
    """

    pid: int
    origin: str
    credential: str | None = None
    beside: tuple[int, ...] = ()
    origins: Origins | None = None


class Peer(ABC):
    """A gateway, started afresh for each run on GATEWAY_CORE with the canned model server behind it."""

    name: ClassVar[str]

    @abstractmethod
    def version(self) -> str:
        """Name and version of what runs, for the report."""

    @abstractmethod
    def running(self, folder: Path, upstream: Origins) -> AbstractContextManager[Target]:
        """Keep the gateway running out of the empty `folder`, in front of the model servers `upstream`."""

    def url(self, target: Target, workload: Workload) -> str:
        """Where the workload is posted: as OpenAI's clients do, unless the peer needs another path."""
        del workload
        return f"{target.origin}/v1/chat/completions"

    def headers(self, target: Target, workload: Workload) -> Mapping[str, str]:
        """What goes with each request: the credential, if there is one."""
        del workload
        return {} if target.credential is None else {"Authorization": f"Bearer {target.credential}"}
