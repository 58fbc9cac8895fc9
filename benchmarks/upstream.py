"""The model servers behind every gateway, on the load's core: nginx with canned answers, and a slow one."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import nginx
from benchmarks.processes import LOAD_CORE, free_port, running
from benchmarks.workloads import WORKLOADS, Workload

if TYPE_CHECKING:
    from collections.abc import Iterator

# nginx answers no POST with a file; its 405 turned into a 200 by that file does. SSI leaves the stream's
# length open, so that it goes out chunked, as a model server sends it.
SERVER = """
  open_file_cache max=10;
  output_buffers 2 64k;
  types {{ application/json json; text/event-stream sse; }}
  ssi_types text/event-stream;
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    root {folder};
    {answers}
    location = /stream.sse {{ ssi on; }}
  }}
"""
ANSWER = "location = {path}/chat/completions {{ error_page 405 =200 /{file}; try_files /{file} =404; }}"


ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Origins:
    """Where the model servers are, such as http://127.0.0.1:9000."""

    canned: str
    paced: str

    def of(self, workload: Workload) -> str:
        """The one that gives the workload's answer."""
        return self.paced if workload.paced else self.canned


@contextmanager
def answering(folder: Path) -> Iterator[Origins]:
    """Keep the model servers running out of `folder`."""
    paced = free_port()
    command = [sys.executable, "-m", "benchmarks.paced", str(paced)]
    environment = {"PYTHONPATH": str(ROOT)}
    with (
        _canned(folder) as canned,
        running(command, core=LOAD_CORE, port=paced, folder=folder, environment=environment),
    ):
        yield Origins(canned, f"http://127.0.0.1:{paced}")


@contextmanager
def _canned(folder: Path) -> Iterator[str]:
    port = free_port()
    for workload in WORKLOADS:
        (folder / workload.answer_file).write_bytes(workload.answer)
    server = SERVER.format(port=port, folder=folder, answers="\n    ".join(map(_answer, WORKLOADS)))
    command = nginx.command(folder, server)
    with running(command, core=LOAD_CORE, port=port, folder=folder):
        yield f"http://127.0.0.1:{port}"


def _answer(workload: Workload) -> str:
    return ANSWER.format(path=workload.path, file=workload.answer_file)
