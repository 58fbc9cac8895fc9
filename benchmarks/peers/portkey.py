"""Portkey's open gateway from npm, told by headers where the model server is."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from benchmarks.peers.installed import node_package
from benchmarks.peers.peer import Peer, Target
from benchmarks.processes import GATEWAY_CORE, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from benchmarks.upstream import Origins
    from benchmarks.workloads import Workload

PACKAGE = "@portkey-ai/gateway"


class Portkey(Peer):
    """It has no keys of its own: the caller's credential is the model server's."""

    name: ClassVar[str] = "Portkey"

    def version(self) -> str:
        """As installed."""
        manifest = json.loads((node_package("portkey", PACKAGE) / "package.json").read_text())
        return f"Portkey gateway {manifest['version']}"

    @contextmanager
    def running(self, folder: Path, upstream: Origins) -> Iterator[Target]:
        """Without its console, in production mode."""
        port = free_port()
        program = node_package("portkey", PACKAGE) / "build" / "start-server.js"
        command = ["node", str(program), f"--port={port}", "--headless"]
        environment = {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost"}
        with running(command, core=GATEWAY_CORE, port=port, folder=folder, environment=environment) as pid:
            yield Target(pid, f"http://127.0.0.1:{port}", "upstream-key", origins=upstream)

    def headers(self, target: Target, workload: Workload) -> Mapping[str, str]:
        """The provider's kind and address go with each request."""
        origin = "" if target.origins is None else target.origins.of(workload)
        return {
            **super().headers(target, workload),
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": f"{origin}{workload.path}",
        }
