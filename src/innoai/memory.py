"""The process' memory, made ready for a long life once everything is loaded.

What is there by then stays as long as the process does: the garbage collector need not look at it again,
and it may lie in huge pages. A request reads all over it, and a processor remembers where few pages are.
"""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

COLLECTOR_THRESHOLDS = (50_000, 20, 100)
"""A request leaves no cycles behind, so the collector need not look after every few of them."""

HUGE_PAGE_BYTES = 2 * 1024 * 1024
"""Of x86-64, and of ARM with pages of 4 KiB; elsewhere the kernel refuses."""

_MAPPINGS = Path("/proc/self/maps")
_NO_FILE = "0"
_MADV_COLLAPSE = 25


def settle() -> None:
    """Call this when everything is loaded and nothing is served yet."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    use_huge_pages()


def use_huge_pages() -> int:
    """Gather what has been allocated in huge pages; how many bytes that are, 0 where the system does not.

    madvise(2), MADV_COLLAPSE: Linux 6.1 and later, whatever its settings say of huge pages.
    """
    if not _MAPPINGS.exists():
        return 0
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    return sum(
        HUGE_PAGE_BYTES
        for start in _huge_pages_of_the_heap()
        if madvise(start, HUGE_PAGE_BYTES, _MADV_COLLAPSE) == 0
    )


def _huge_pages_of_the_heap() -> Iterator[int]:
    """Where a huge page could begin, in memory that is this process' alone and no file's (proc(5))."""
    for line in _MAPPINGS.read_text().splitlines():
        extent, permissions, _, _, inode = line.split()[:5]
        if permissions == "rw-p" and inode == _NO_FILE:
            start, end = (int(address, 16) for address in extent.split("-"))
            first = -(-start // HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES
            yield from range(first, end - HUGE_PAGE_BYTES + 1, HUGE_PAGE_BYTES)
