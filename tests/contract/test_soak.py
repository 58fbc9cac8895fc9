"""A short soak, and whether its accounts would notice what they are there to notice."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.soak import accounts, watch
from benchmarks.soak.watch import Sample

ROOT = Path(__file__).parents[2]
SECONDS = "10"
PATIENCE = 110

RECORDS = [("req_a", 200, "complete", 1), ("req_b", 200, "cancelled", None), ("req_c", 502, "failed", None)]
SEEN = ["req_a 1 200", "req_b 2 200", "req_c 3 502"]
SERVED = ["1", "2"]


@pytest.mark.timeout(PATIENCE + 10)
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="a soak wants two cores")
def test_under_full_load_with_callers_that_vanish_nothing_is_lost_and_nothing_leaks() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", "--seconds", SECONDS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    assert re.search(r"deaths of the model server \| [2-9] \|", ended.stdout)


def compared(
    tmp_path: Path, records: list[tuple[str, int, str, int | None]], seen: list[str], served: list[str]
) -> accounts.Accounts:
    with closing(sqlite3.connect(tmp_path / "store")) as store, store:
        store.execute("CREATE TABLE usage_records (request_id, status, outcome, prompt_tokens)")
        store.executemany("INSERT INTO usage_records VALUES (?, ?, ?, ?)", records)
    (tmp_path / "seen").write_text("".join(f"{line}\n" for line in seen))
    (tmp_path / "served").write_text("".join(f"{line}\n" for line in served))
    return accounts.compare(tmp_path / "store", tmp_path / "seen", tmp_path / "served")


def test_accounts_that_agree_have_nothing_to_say(tmp_path: Path) -> None:
    assert compared(tmp_path, RECORDS, SEEN, SERVED) == accounts.Accounts(3, 2, 3, ())


@pytest.mark.parametrize(
    ("records", "seen", "served", "said"),
    [
        (RECORDS[1:], SEEN, SERVED, "1 answers have no usage record: lost, such as req_a"),
        ([*RECORDS, ("req_d", 200, "complete", 1)], SEEN, SERVED, "1 usage records belong to no answer"),
        (RECORDS, [*SEEN, "req_a 4 200"], [*SERVED, "4"], "1 request ids were given to more than one answer"),
        ([("req_a", 200, "complete", 2), *RECORDS[1:]], SEEN, SERVED, "tell the tokens of another request"),
        ([("req_a", 200, "complete", None), *RECORDS[1:]], SEEN, SERVED, "without their tokens"),
        ([("req_a", 502, "failed", 1), *RECORDS[1:]], SEEN, SERVED, "tell of another status"),
        (RECORDS, SEEN, SERVED[1:], "a model server that was never asked"),
        (RECORDS, SEEN, [*SERVED, "9"], "asked by nobody"),
    ],
)
def test_accounts_that_do_not_agree_say_which(
    tmp_path: Path,
    records: list[tuple[str, int, str, int | None]],
    seen: list[str],
    served: list[str],
    said: str,
) -> None:
    assert any(said in sentence for sentence in compared(tmp_path, records, seen, served).wrong)


def test_growth_is_the_slope_of_the_second_half() -> None:
    def taken(second: int, memory: float) -> Sample:
        return Sample(second, memory, 0, 0, 0, 0, 0)

    warming = [taken(second, second * 5.0) for second in range(50)]
    assert watch.growth_mb([*warming, *(taken(second, 250.0) for second in range(50, 101))]) == 0.0
    steady = watch.growth_mb([*warming, *(taken(second, 250.0 + second) for second in range(50, 101))])
    assert steady == pytest.approx(50.0, rel=0.1)
