"""A process that spools: `python -m tests.metering.writer DIRECTORY COUNT [BYTES]`.

It appends COUNT records and says the id of each once it was appended, then waits for its end. With BYTES
no file may grow beyond so many, as on a full disk; at a line on stdin there is room again, and one more
record is appended.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import structlog

from innoai.metering.spool import Spool
from tests.metering.records import record


def main() -> None:
    directory, count = Path(sys.argv[1]), int(sys.argv[2])
    if len(sys.argv) > 3:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    names = (f"use_{os.getpid()}_{number:06}" for number in range(1_000_000))
    spool = Spool(directory, lambda: next(names))
    for number in range(count):
        appended = record(number, process=os.getpid())
        spool.append(appended)
        spool.flush()
        sys.stdout.write(appended.request_id + "\n")
        sys.stdout.flush()
    sys.stdin.readline()
    if len(sys.argv) > 3:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        spool.append(record(count, process=os.getpid()))
        spool.flush()
        sys.stdout.write("appended\n")
        sys.stdout.flush()
        sys.stdin.readline()


if __name__ == "__main__":
    main()
