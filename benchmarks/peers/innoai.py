"""This project's gateway: SQLite store, in-process limits, one key among one, everything switched on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import httpx

from benchmarks.peers.peer import Peer, Target
from benchmarks.processes import GATEWAY_CORE, BenchError, free_port, running
from benchmarks.workloads import MODEL, WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.upstream import Origins

PROGRAM = str(Path(sys.executable).with_name("innoai"))
REQUESTS_A_MINUTE = 100_000_000
CONFIGURATION = """
[server]
bind = "127.0.0.1:{port}"
[store]
url = "sqlite:///{folder}/innoai.db"
"""
MODEL_ENTRY = """
[models."{name}"]
upstreams = [{{ base_url = "{base_url}", model = "{model}", api_key = "upstream-key" }}]
"""


class Innoai(Peer):
    """Key lookup, decision, limit, forwarding and metering for each request."""

    name: ClassVar[str] = "innoai"

    def version(self) -> str:
        """The installed distribution and the Python that runs it."""
        return f"innoai/{version('innoai')} on Python {sys.version.split()[0]}"

    @contextmanager
    def running(self, folder: Path, upstream: Origins) -> Iterator[Target]:
        """`innoai init`, `innoai serve`, and a key whose limit the load does not reach."""
        port = free_port()
        origin = f"http://127.0.0.1:{port}"
        environment = {"INNOAI_CONFIG": str(_configure(folder, port, upstream)), "HOME": str(folder)}
        admin_key = _first_key(folder, environment)
        command = [PROGRAM, "serve"]
        with running(command, core=GATEWAY_CORE, port=port, folder=folder, environment=environment) as pid:
            yield Target(pid, origin, _load_key(origin, admin_key))


def _configure(folder: Path, port: int, upstream: Origins) -> Path:
    configuration = folder / "innoai.toml"
    models = (
        MODEL_ENTRY.format(
            name=workload.model, base_url=f"{upstream.of(workload)}{workload.path}", model=MODEL
        )
        for workload in WORKLOADS
    )
    configuration.write_text(CONFIGURATION.format(port=port, folder=folder) + "".join(models))
    return configuration


def _first_key(folder: Path, environment: dict[str, str]) -> str:
    run = subprocess.run(
        [PROGRAM, "init", "--json"],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise BenchError(f"innoai init failed: {run.stderr or run.stdout}")
    key: str = json.loads(run.stdout)["api_key"]
    return key


def _load_key(origin: str, admin_key: str) -> str:
    answer = httpx.post(
        f"{origin}/v1/keys",
        headers={"Authorization": f"Bearer {admin_key}"},
        json={"name": "benchmark", "scopes": ["inference:write"], "rate_limit": REQUESTS_A_MINUTE},
    )
    if answer.status_code != httpx.codes.CREATED:
        raise BenchError(f"no key for the load: {answer.status_code} {answer.text}")
    key: str = answer.json()["key"]
    return key
