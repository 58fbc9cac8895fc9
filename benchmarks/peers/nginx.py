"""nginx `proxy_pass`: no authentication, no metering, nothing but forwarding. The limit."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from benchmarks import nginx
from benchmarks.peers.peer import Peer, Target
from benchmarks.processes import GATEWAY_CORE, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.workloads import Workload

SERVERS = """
  upstream model {{
    server {upstream};
    keepalive 64;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://model;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
"""


class Nginx(Peer):
    """It cannot look a model up in the body, so each workload has the upstream's own path."""

    name: ClassVar[str] = "nginx"

    def version(self) -> str:
        """As `nginx -v` says."""
        run = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True)
        return run.stderr.strip().removeprefix("nginx version: ")

    @contextmanager
    def running(self, folder: Path, upstream: str) -> Iterator[Target]:
        """One worker; answers pass unbuffered, as a stream must."""
        port = free_port()
        servers = SERVERS.format(port=port, upstream=upstream.removeprefix("http://"))
        command = nginx.command(folder, servers)
        with running(command, core=GATEWAY_CORE, port=port, folder=folder) as pid:
            yield Target(pid, f"http://127.0.0.1:{port}")

    def url(self, target: Target, workload: Workload) -> str:
        """The upstream's path."""
        return f"{target.origin}{workload.path}/chat/completions"
