"""This project's gateway: SQLite store, in-process limits, one key among one, everything switched on."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, ClassVar

from benchmarks.installation import Installation
from benchmarks.peers.peer import Peer, Target
from benchmarks.workloads import MODEL, WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.upstream import Origins

SYSTEM_PREFIX = "/usr"
MODEL_ENTRY = """
[models."{name}"]
upstreams = [{{ base_url = "{base_url}", model = "{model}", api_key = "upstream-key" }}]
"""


class Innoai(Peer):
    """Key lookup, decision, limit, forwarding and metering for each request."""

    name: ClassVar[str] = "innoai"

    def version(self) -> str:
        """The installed distribution and the Python that runs it."""
        whose = "the system's" if sys.base_prefix == SYSTEM_PREFIX else "a local"
        return f"innoai/{version('innoai')} on {whose} Python {sys.version.split()[0]}"

    @contextmanager
    def running(self, folder: Path, upstream: Origins) -> Iterator[Target]:
        """`innoai init`, `innoai serve`, and a key whose limit the load does not reach."""
        models = (
            MODEL_ENTRY.format(
                name=workload.model, base_url=f"{upstream.of(workload)}{workload.path}", model=MODEL
            )
            for workload in WORKLOADS
        )
        installation = Installation.make(folder, "".join(models))
        with installation.serving() as replica:
            yield Target(replica.pid, replica.origin, installation.new_key(replica)[1])
