"""A process that has imported innoai, and forks for each command.

Most of a command's start is imports. What is forked is a process of its own in all that a test looks at:
arguments, environment, directory, streams, signals, exit status. `tests/support/warm.py` is the tests' end
of the socket. Each packet is a command in JSON (`arguments`, `directory`, `environment`), and with it come a
socket and three streams. Through that socket go a line with the id of the process and, in its time, one with
its exit status.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import io
import json
import os
import selectors
import signal
import socket
import sys
import threading
from typing import Any, NoReturn

from tests.support.leash import PR_SET_PDEATHSIG

MODULES = ("innoai.cli.main", "innoai.server", "innoai.doctor", "innoai.tenants")
PACKET_BYTES = 1 << 18
DESCRIPTORS = 4


class Forker:
    """What forks: the socket that commands come through, and the sockets of those under way."""

    def __init__(self, commands: socket.socket) -> None:
        self._commands = commands
        self._under_way: dict[int, socket.socket] = {}
        self._ended, self._ends = socket.socketpair()
        for end in (self._ended, self._ends):
            end.setblocking(False)
        signal.set_wakeup_fd(self._ends.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._commands, selectors.EVENT_READ)
        self._selector.register(self._ended, selectors.EVENT_READ)

    def run(self) -> list[str] | None:
        """Fork until the tests are gone, then None. What was forked leaves with its arguments."""
        while True:
            for ready, _ in self._selector.select():
                if ready.fileobj is self._ended:
                    self._reap()
                    continue
                packet, descriptors, _, _ = socket.recv_fds(self._commands, PACKET_BYTES, DESCRIPTORS)
                if not packet:
                    return None
                command = json.loads(packet)
                if self._fork(command, socket.socket(fileno=descriptors[0]), descriptors[1:]):
                    return list(command["arguments"])

    def _fork(self, command: dict[str, Any], answers: socket.socket, streams: list[int]) -> bool:
        """Whether this is what was forked."""
        forker = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._leave()
            answers.close()
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != forker:
                os._exit(1)
            os.chdir(command["directory"])
            os.environ.clear()
            os.environ.update(command["environment"])
            _open_streams(os.environ.get("PYTHONIOENCODING"))
        else:
            self._under_way[pid] = answers
            _say(answers, pid)
        for stream in streams:
            os.close(stream)
        return pid == 0

    def _leave(self) -> None:
        """Close what is the forker's, lest a descriptor that is closed late be the command's own by then."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for opened in (self._commands, self._ended, self._ends, *self._under_way.values()):
            opened.close()

    def _reap(self) -> None:
        self._ended.recv(PACKET_BYTES)
        while self._under_way:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            with self._under_way.pop(pid) as answers:
                _say(answers, os.waitstatus_to_exitcode(status))


def _open_streams(encoding: str | None) -> None:
    """Make the standard streams anew, as an interpreter does: those of the forker may have been files."""
    encoding = encoding or "utf-8"
    sys.stdin = open(0, encoding=encoding, closefd=False)  # noqa: SIM115 - as long as the process
    sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115
    sys.stderr = open(  # noqa: SIM115
        2, "w", encoding=encoding, errors="backslashreplace", buffering=1, closefd=False
    )


def _say(answers: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # The test that asked may be gone.
        answers.sendall(b"%d\n" % number)


def _warm_up() -> None:
    """Import what commands import, some of it late, and let typing and Typer remember the annotations."""
    for module in MODULES:
        importlib.import_module(module)
    importlib.import_module("innoai").InnoAI(api_key="none", base_url="http://127.0.0.1:9/v1").close()
    with contextlib.redirect_stdout(io.StringIO()):
        importlib.import_module("innoai.cli.main").run(["--version"])


def main() -> None:
    _warm_up()
    gc.freeze()  # What is there now is never garbage, and stays shared by all that is forked.
    arguments = Forker(socket.socket(fileno=int(sys.argv[1]))).run()
    if arguments is not None:
        sys.argv[:] = ["innoai", *arguments]
        status = importlib.import_module("innoai.cli.main").run()
        _exit(status)


def _exit(status: int) -> NoReturn:
    """End as the interpreter does, but leave the modules as they are: to take them apart would copy them."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
