"""Runs a command that ends with whoever started it: `python leash.py PARENT_PID COMMAND ARGUMENT…`.

The kernel kills the command when the parent dies, however the parent dies (prctl(2), Linux alone), and
the command has this process's id, so that it can be stopped by it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == parent:
        os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
