"""nginx `proxy_pass`: no authentication, no metering, nothing but forwarding. The limit."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, ClassVar

from benchmarks import nginx
from benchmarks.peers.innoai import Innoai
from benchmarks.peers.peer import Peer, Target
from benchmarks.processes import GATEWAY_CORE, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.upstream import Origins
    from benchmarks.workloads import Workload

KEPT = """
  upstream canned {{ server {canned}; keepalive 1024; keepalive_requests 1000000000; }}
  upstream paced {{ server {paced}; keepalive 1024; keepalive_requests 1000000000; }}
  {beside}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_buffering off;
    {inside}
    location / {{ proxy_pass http://canned; }}
    location /paced/ {{ proxy_pass http://paced; }}
  }}
"""
AS_IT_COMES = """
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    proxy_buffering off;
    location / {{ proxy_pass http://{canned}; }}
    location /paced/ {{ proxy_pass http://{paced}; }}
  }}
"""
DECISIONS = "upstream innoai {{ server {address}; keepalive 1024; keepalive_requests 1000000000; }}"
ASKING = """
    auth_request /innoai-forward;
    location = /innoai-forward {
      internal;
      proxy_pass http://innoai/v1/auth/forward;
      proxy_pass_request_body off;
      proxy_set_header Connection "";
      proxy_set_header Content-Length "";
      proxy_set_header X-Forwarded-Method $request_method;
      proxy_set_header X-Forwarded-Uri /v1/chat/completions;
    }
"""


class Nginx(Peer):
    """It cannot look a model up in the body, so each workload has the upstream's own path."""

    name: ClassVar[str] = "nginx"
    servers: ClassVar[str] = KEPT

    def version(self) -> str:
        """As `nginx -v` says."""
        run = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True)
        return run.stderr.strip().removeprefix("nginx version: ")

    @contextmanager
    def running(self, folder: Path, upstream: Origins) -> Iterator[Target]:
        """One worker; answers pass unbuffered, as a stream must."""
        with _nginx(folder, upstream, self.servers) as target:
            yield target

    def url(self, target: Target, workload: Workload) -> str:
        """The upstream's path."""
        return f"{target.origin}{workload.path}/chat/completions"


class NginxAsItComes(Nginx):
    """Without the settings that keep connections to upstream: what many configurations are like."""

    name: ClassVar[str] = "nginx, new connections"
    servers: ClassVar[str] = AS_IT_COMES

    def version(self) -> str:
        """The same program."""
        return f"{super().version()} without keepalive"


class NginxAuthRequest(Nginx):
    """nginx forwards, and asks innoai's forward authentication about each request, on the same core."""

    name: ClassVar[str] = "nginx + auth_request"

    def version(self) -> str:
        """The same program."""
        return f"{super().version()} with auth_request to innoai"

    @contextmanager
    def running(self, folder: Path, upstream: Origins) -> Iterator[Target]:
        """Both servers; what both spend counts."""
        decisions = folder / "innoai"
        decisions.mkdir()
        with ExitStack() as stack:
            asked = stack.enter_context(Innoai().running(decisions, upstream))
            deciding = DECISIONS.format(address=asked.origin.removeprefix("http://"))
            nginx = stack.enter_context(_nginx(folder, upstream, KEPT, deciding, ASKING))
            yield Target(nginx.pid, nginx.origin, asked.credential, (asked.pid,))


@contextmanager
def _nginx(
    folder: Path, upstream: Origins, servers: str, beside: str = "", inside: str = ""
) -> Iterator[Target]:
    port = free_port()
    canned, paced = (origin.removeprefix("http://") for origin in (upstream.canned, upstream.paced))
    text = servers.format(port=port, canned=canned, paced=paced, beside=beside, inside=inside)
    with running(nginx.command(folder, text), core=GATEWAY_CORE, port=port, folder=folder) as pid:
        yield Target(pid, f"http://127.0.0.1:{port}")
