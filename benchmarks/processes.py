"""Processes of a run: started on one core, waited for, measured with their children, stopped again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

GATEWAY_CORE = 0
LOAD_CORE = 1
START_SECONDS = 30
STOP_SECONDS = 10
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """The run cannot go on; the message says why and what to do."""


def free_port() -> int:
    """A loopback port that nobody holds now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str],
    *,
    core: int,
    port: int,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    patience: float = START_SECONDS,
) -> Iterator[int]:
    """Keep `command` running in `folder` on `core`; gives its pid once `port` accepts.

    Raises:
        BenchError: that takes longer than `patience` seconds.
    """
    log = folder / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    try:
        _wait_until_open(process, port, log, patience)
        yield process.pid
    finally:
        _stop(process)


def output_of(
    command: Sequence[str],
    *,
    core: int,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    given: str = "",
) -> str:
    """What `command` writes to its standard output, run to its end in `folder` on `core`.

    Raises:
        BenchError: its exit status is another than 0; the message is what it wrote to standard error.
    """
    run = subprocess.run(
        ["taskset", "-c", str(core), *command],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise BenchError(run.stderr or run.stdout or f"{command!r} failed")
    return run.stdout


def cpu_seconds(pid: int) -> float:
    """User and system time that `pid` and its living descendants have spent: proc(5), fields 14 and 15."""
    return sum(_ticks(member) for member in _family(pid)) / TICKS_PER_SECOND


def anonymous_bytes(pid: int) -> int:
    """Memory of `pid` and its living descendants that is in no file: RssAnon of proc(5)."""
    return sum(_anonymous(member) for member in _family(pid))


def _anonymous(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


def _wait_until_open(process: subprocess.Popen[bytes], port: int, log: Path, patience: float) -> None:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise BenchError(f"{process.args!r} does not listen on port {port}:\n{log.read_text()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _family(pid: int) -> set[int]:
    parents = {member: parent for member, parent in _all_processes() if parent}
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def _all_processes() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                yield int(entry.name), int(fields[1])


def _ticks(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[11]) + int(fields[12]) if fields else 0


def _stat(pid: int) -> list[str]:
    """The fields after the command's name, from the third on; none when the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
