"""Which processes hold something of budgets, told by a lock file beside the spool.

A process has its file locked for as long as it lives. What a dead one held can be let go of only once
its usage records are in the store, so whoever ships the spool also buries the dead.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_SUFFIX = ".holder"


class Holders:
    """This process's name among the holders, and those of the same spool that are gone."""

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self._directory = directory
        self._lock: int | None = None

    def appear(self) -> None:
        """Make this process known, before it holds anything.

        Raises:
            OSError: the file cannot be made.
        """
        if self._lock is None:
            unready = self._path(self.name).with_suffix(".new")
            lock = os.open(unready, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            # Locked before it bears the name that others look for.
            fcntl.flock(lock, fcntl.LOCK_EX)
            unready.rename(self._path(self.name))
            self._lock = lock

    def departed(self) -> list[str]:
        """The names of processes that have ended."""
        return [path.stem for path in sorted(self._directory.glob(f"*{_SUFFIX}")) if _is_free(path)]

    def bury(self, names: Iterable[str]) -> None:
        """Forget processes whose holds are released."""
        for name in names:
            self._path(name).unlink(missing_ok=True)

    def leave(self) -> None:
        """End: nothing is held any more."""
        if self._lock is not None:
            self._path(self.name).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}{_SUFFIX}"


def _is_free(path: Path) -> bool:
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
