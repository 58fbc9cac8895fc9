"""Files that belong to one living process: each has its own locked, and the lock goes when it ends."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Found(NamedTuple):
    """Files that no living process owns, by name, and why others could not be looked at."""

    abandoned: list[Path]
    faults: list[OSError]


def create(path: Path, size: int = 0) -> int:
    """A new file of so many zeroed bytes, this process's for as long as its descriptor, given here, is open.

    Raises:
        OSError: it cannot be made, or the disk has no room for it; nothing is left behind.
    """
    unready = path.with_suffix(".new")
    file = os.open(unready, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if size:
            os.posix_fallocate(file, 0, size)
        # Locked before it bears the name that others look for.
        fcntl.flock(file, fcntl.LOCK_EX)
        unready.rename(path)
    except OSError:
        os.close(file)
        unready.unlink(missing_ok=True)
        raise
    return file


def find_abandoned(directory: Path, suffix: str) -> Found:
    """The files there with that suffix: one that this process may not open keeps nothing from the others."""
    found = Found([], [])
    for path in sorted(directory.glob(f"*{suffix}")):
        try:
            if is_abandoned(path):
                found.abandoned.append(path)
        except OSError as error:
            found.faults.append(error)
    return found


def is_abandoned(path: Path) -> bool:
    """Whether the file is there and no living process owns it; OSError when it may not be opened."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        # Shared, so that another process which looks just now is not taken for its owner.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
