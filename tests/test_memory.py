"""What the server does with its memory once everything is loaded; each in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

MEGABYTES = 64
FIRST_KERNEL = (6, 1)
SETTINGS = Path("/sys/kernel/mm/transparent_hugepage")
"""Where a kernel that was built with huge pages has them."""


def run(script: str) -> list[int]:
    """The numbers that a new process printed."""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return [int(number) for number in told.stdout.split()]


def knows_collapse() -> bool:
    version = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return SETTINGS.exists() and version is not None and tuple(map(int, version.groups())) >= FIRST_KERNEL


@pytest.mark.skipif(not knows_collapse(), reason="needs Linux 6.1 with huge pages")
def test_what_is_loaded_lies_in_huge_pages() -> None:
    told, in_huge_pages, intact = run(f"""
import re
from innoai import memory
texts = [str(number) * 20 for number in range({MEGABYTES * 10_000})]
told = memory.use_huge_pages()
rollup = open("/proc/self/smaps_rollup").read()
print(told, int(re.search(r"AnonHugePages: +([0-9]+)", rollup)[1]) * 1024)
print(int(all(text == str(number) * 20 for number, text in enumerate(texts))))
""")
    assert told == in_huge_pages
    assert told > MEGABYTES * 1_000_000 / 2
    assert intact


def test_a_system_without_them_is_no_error() -> None:
    assert run("""
from pathlib import Path
from innoai import memory
memory._MAPPINGS = Path("/nowhere")
print(memory.use_huge_pages())
""") == [0]


def test_the_collector_leaves_what_is_loaded_alone_and_still_collects_what_comes() -> None:
    looked_at_before, looked_at_after, collected = run("""
import gc, weakref
from innoai import memory
class Loop: pass
loaded = Loop()
def is_looked_at(one): return sum(one is other for other in gc.get_objects())
print(is_looked_at(loaded))
memory.settle()
print(is_looked_at(loaded))
loop = Loop(); loop.itself = loop; seen = weakref.ref(loop)
del loop
gc.collect()
print(int(seen() is None))
""")
    assert looked_at_before
    assert not looked_at_after
    assert collected
