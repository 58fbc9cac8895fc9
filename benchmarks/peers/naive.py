"""FastAPI and httpx, as one would write a proxy in an afternoon: forwarding alone, no key, no metering."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from benchmarks.peers.installed import python_packages, version_of
from benchmarks.peers.peer import Peer, Target
from benchmarks.processes import GATEWAY_CORE, free_port, running
from benchmarks.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.upstream import Origins

PACKAGES = ("fastapi", "httpx", "uvicorn[standard]")
APPLICATION = """
import httpx
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

MODELS = {models!r}
app = FastAPI()
limits = httpx.Limits(max_connections=None, max_keepalive_connections=1000)
client = httpx.AsyncClient(limits=limits, timeout=600)


@app.post("/v1/chat/completions")
async def complete(request: Request):
    body = await request.json()
    asked = client.build_request("POST", MODELS[body["model"]] + "/chat/completions", json=body)
    answer = await client.send(asked, stream=True)
    return StreamingResponse(
        answer.aiter_raw(), status_code=answer.status_code, media_type=answer.headers.get("content-type")
    )
"""


class Naive(Peer):
    """What a framework and a client library cost by themselves."""

    name: ClassVar[str] = "FastAPI + httpx"

    def version(self) -> str:
        """Of both."""
        programs = python_packages("naive", *PACKAGES)
        return f"FastAPI {version_of(programs, 'fastapi')} with httpx {version_of(programs, 'httpx')}"

    @contextmanager
    def running(self, folder: Path, upstream: Origins) -> Iterator[Target]:
        """One uvicorn worker with uvloop and httptools, without an access log."""
        programs = python_packages("naive", *PACKAGES)
        models = {workload.model: f"{upstream.of(workload)}{workload.path}" for workload in WORKLOADS}
        (folder / "naive.py").write_text(APPLICATION.format(models=models))
        port = free_port()
        options = ["--port", str(port), "--no-access-log", "--log-level", "error", "--backlog", "1024"]
        command = [str(programs / "uvicorn"), "naive:app", *options]
        with running(command, core=GATEWAY_CORE, port=port, folder=folder) as pid:
            yield Target(pid, f"http://127.0.0.1:{port}")
