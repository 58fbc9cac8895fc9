"""`innoai` commands that start at once, forked by a process that has imported it before (`warm_process.py`).

The installed command itself runs in `tests/contract/test_starting.py` and, where they say so, in `tests/cli`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from tests.support.processes import leashed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.support.processes import Process

INNOAI = str(Path(sys.executable).with_name("innoai"))
"""The installed command."""

_ROOT = Path(__file__).parents[2]


class WarmProcess:
    """A command under way; what it offers is as in `subprocess.Popen`."""

    def __init__(
        self, arguments: Sequence[str], directory: Path, environment: Mapping[str, str], *streams: int
    ) -> None:
        command = {"arguments": arguments, "directory": str(directory), "environment": dict(environment)}
        self._answers, theirs = socket.socketpair()
        with theirs:
            _forker().ask(json.dumps(command).encode(), theirs.fileno(), *streams)
        self._said = b""
        try:
            self.pid = self._number()
            # By the time of a signal the id alone could be another's.
            self._handle = os.pidfd_open(self.pid)
        except BaseException:
            self._answers.close()
            raise
        self.returncode: int | None = None
        # As with subprocess.Popen, several threads may wait, and signal meanwhile.
        self._waiting, self._signalling = Lock(), Lock()

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, negative for a signal."""
        with self._waiting:
            if self.returncode is None:
                self._answers.settimeout(timeout)
                try:
                    status = self._number()
                except TimeoutError:
                    raise subprocess.TimeoutExpired("innoai", timeout or 0) from None
                with self._signalling:
                    self.returncode = status
                    os.close(self._handle)
                self._answers.close()
            return self.returncode

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        """Any signal; nothing once it has ended."""
        with self._signalling, contextlib.suppress(ProcessLookupError):
            if self.returncode is None:
                signal.pidfd_send_signal(self._handle, number)

    def _number(self) -> int:
        """What the next line says."""
        while b"\n" not in self._said:
            received = self._answers.recv(64)
            assert received, "what forks the commands has died"
            self._said += received
        line, _, self._said = self._said.partition(b"\n")
        return int(line)


def start(
    arguments: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    stdin: int,
    stdout: int,
    stderr: int,
) -> Process:
    """Begin a command; it dies with these tests. Only Linux has all that a warm one takes."""
    if sys.platform != "linux":
        return leashed([INNOAI, *arguments], directory, environment, stdin, stdout, stderr)
    return WarmProcess(arguments, directory, environment, stdin, stdout, stderr)


def run(
    arguments: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    *,
    stdin: str = "",
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. Its streams are files."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin.encode())
        given.seek(0)
        streams = (file.fileno() for file in (given, out, err))
        process = start(arguments, directory, environment, *streams)
        try:
            status = process.wait(timeout)
        finally:
            process.kill()
            process.wait()
        written = []
        for file in (out, err):
            file.seek(0)
            written.append(file.read().decode())
    return subprocess.CompletedProcess(["innoai", *arguments], status, *written)


class _Forker:
    """The process that forks; it ends when its socket is closed, however these tests end."""

    def __init__(self) -> None:
        self._commands, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.warm_process", str(theirs.fileno())],
                cwd=_ROOT,
                env={"PATH": os.environ["PATH"], "PYTHONUTF8": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def ask(self, command: bytes, *descriptors: int) -> None:
        socket.send_fds(self._commands, [command], descriptors)

    def close(self) -> None:
        self._commands.close()
        self._process.wait()


@cache
def _forker() -> _Forker:
    return _Forker()


def end() -> None:
    """Nothing is started after this."""
    if _forker.cache_info().currsize:
        _forker().close()
