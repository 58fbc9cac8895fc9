"""innoai with a store of its own: started once or more, and given keys."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from benchmarks.processes import GATEWAY_CORE, BenchError, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = str(Path(sys.executable).with_name("innoai"))
REQUESTS_A_MINUTE = 100_000_000
SETTINGS = """
[store]
url = "sqlite:///{folder}/innoai.db"
secret_file = "{folder}/innoai.secret"
"""


@dataclass(frozen=True, slots=True)
class Replica:
    """A running server: its process, and where it listens."""

    pid: int
    origin: str


@dataclass(frozen=True, slots=True)
class Installation:
    """A SQLite store in `folder`, and its first admin key."""

    folder: Path
    admin_key: str

    @classmethod
    def make(cls, folder: Path, models: str = "") -> Installation:
        """As `innoai init` does, with the tables of some models; BenchError when it fails."""
        (folder / "innoai.toml").write_text(SETTINGS.format(folder=folder) + models)
        environment = {**os.environ, **_environment(folder)}
        command = [PROGRAM, "init", "--json"]
        run = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        if run.returncode:
            raise BenchError(f"innoai init failed: {run.stderr or run.stdout}")
        return cls(folder, json.loads(run.stdout)["api_key"])

    @contextmanager
    def serving(self) -> Iterator[Replica]:
        """One more server of this store on GATEWAY_CORE."""
        port = free_port()
        environment = {**_environment(self.folder), "INNOAI_SERVER_BIND": f"127.0.0.1:{port}"}
        folder = self.folder / str(port)
        folder.mkdir()
        with running(
            [PROGRAM, "serve"], core=GATEWAY_CORE, port=port, folder=folder, environment=environment
        ) as pid:
            yield Replica(pid, f"http://127.0.0.1:{port}")

    def new_key(self, replica: Replica) -> tuple[str, str]:
        """Id and secret of a key whose limit no load here reaches."""
        answer = httpx.post(
            f"{replica.origin}/v1/keys",
            headers={"Authorization": f"Bearer {self.admin_key}"},
            json={"name": "benchmark", "scopes": ["inference:write"], "rate_limit": REQUESTS_A_MINUTE},
        )
        if answer.status_code != httpx.codes.CREATED:
            raise BenchError(f"no key: {answer.status_code} {answer.text}")
        made = answer.json()
        return made["id"], made["key"]


def _environment(folder: Path) -> dict[str, str]:
    return {"INNOAI_CONFIG": str(folder / "innoai.toml"), "HOME": str(folder)}
