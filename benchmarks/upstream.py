"""The model server behind every gateway: nginx with canned answers, on the load's core."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks import nginx
from benchmarks.processes import LOAD_CORE, free_port, running
from benchmarks.workloads import WORKLOADS, Workload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


@contextmanager
def answering(folder: Path) -> Iterator[str]:
    """Keep the model server running out of `folder`; gives its origin."""
    port = free_port()
    for workload in WORKLOADS:
        (folder / workload.answer_file).write_bytes(workload.answer)
    server = SERVER.format(port=port, folder=folder, answers="\n    ".join(map(_answer, WORKLOADS)))
    command = nginx.command(folder, server)
    with running(command, core=LOAD_CORE, port=port, folder=folder):
        yield f"http://127.0.0.1:{port}"


def _answer(workload: Workload) -> str:
    return ANSWER.format(path=workload.path, file=workload.answer_file)
