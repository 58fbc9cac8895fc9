"""Child processes of the tests: they say in their log when they are ready, and never outlive the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

START_SECONDS = 60.0
STOP_SECONDS = 40.0
_LEASH = Path(__file__).with_name("leash.py")


class Process(Protocol):
    """What `subprocess.Popen` offers of a process."""

    def terminate(self) -> None: ...
    def kill(self) -> None: ...
    def send_signal(self, number: int) -> None: ...
    def wait(self, timeout: float | None = None) -> int: ...


Start = Callable[[Sequence[str], Path, Mapping[str, str], int, int, int], Process]
"""Begins a command in a directory, with an environment and three streams."""


def leashed(
    command: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    stdin: int,
    stdout: int,
    stderr: int,
) -> Process:
    """A new process that dies with this one."""
    leash = [sys.executable, "-I", "-S", str(_LEASH), str(os.getpid())]
    return subprocess.Popen(
        [*leash, *command], cwd=directory, env=environment, stdin=stdin, stdout=stdout, stderr=stderr
    )


class Child:
    """A process that writes one JSON object a line to stderr, one of them with the event `listening`."""

    def __init__(
        self,
        command: Sequence[str],
        directory: Path,
        environment: Mapping[str, str],
        start: Start = leashed,
    ) -> None:
        reading, writing = os.pipe()
        null = os.open(os.devnull, os.O_RDWR)
        try:
            self._process = start(command, directory, environment, null, null, writing)
        finally:
            os.close(null)
            os.close(writing)
        self._written = os.fdopen(reading, encoding="utf-8")
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read_log)
        self.address = ""
        """Where it listens: scheme, host and port."""
        self.log: list[str] = []
        self._reader.start()

    def send_signal(self, number: int) -> None:
        """Any signal."""
        self._process.send_signal(number)

    def wait_until_listening(self) -> None:
        """Wait for the line that names the address; fail with the log when the process ends before."""
        self._listening.wait(START_SECONDS)
        if not self.address:
            self.kill()
            raise AssertionError("the process did not start:\n" + "\n".join(self.log))

    def stop(self) -> int:
        """SIGTERM, and the exit status that followed."""
        self._process.terminate()
        return self._ended()

    def kill(self) -> None:
        """SIGKILL: it gets no chance to tidy up."""
        self._process.kill()
        self._ended()

    def _ended(self) -> int:
        try:
            return self._process.wait(STOP_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            self._written.close()

    def _read_log(self) -> None:
        for line in self._written:
            self.log.append(line.rstrip("\n"))
            said = _object(line)
            if said.get("event") == "listening":
                self.address = said["address"]
                self._listening.set()
        self._listening.set()


def _object(line: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
