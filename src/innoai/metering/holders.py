"""Which processes hold something of budgets, told by a lock file beside the spool.

A process has its file locked for as long as it lives. What a dead one held can be let go of only once
its usage records are in the store, so whoever ships the spool also buries the dead.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from innoai.metering import owned_files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from innoai.metering.owned_files import Found

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
            self._lock = owned_files.create(self._path(self.name))

    def departed(self) -> Found:
        """The files of processes that have ended."""
        return owned_files.find_abandoned(self._directory, _SUFFIX)

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
