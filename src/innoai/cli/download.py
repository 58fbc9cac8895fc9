"""Answers that are files: written as they come, to a file or to stdout."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from innoai.cli import output
from innoai.cli.failures import CommandError, ExitCode

if TYPE_CHECKING:
    from innoai.cli.session import Session
    from innoai.sdk.streams import Download

STDOUT = "-"


def save(session: Session, download: Download, target: str) -> None:
    """Write all of it to the file of that name, or for `-` to stdout, where a terminal gets it printable."""
    if target != STDOUT:
        _to_file(session, download, target)
    elif sys.stdout.isatty():
        for line in download.lines():
            output.write_line(line.decode("utf-8", "backslashreplace"))
    else:
        for piece in download:
            sys.stdout.buffer.write(piece)


def _to_file(session: Session, download: Download, target: str) -> None:
    written = 0
    try:
        with Path(target).open("wb") as file:
            for piece in download:
                written += file.write(piece)
    except OSError as problem:
        raise CommandError(
            ExitCode.USAGE, f"cannot write {target}: {problem.strerror}", hint="name another file"
        ) from None
    if session.options.json:
        output.write_json({"file": target, "bytes": written})
    else:
        output.write_line(f"wrote {target}, {written} bytes")
