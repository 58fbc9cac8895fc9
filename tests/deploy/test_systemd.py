"""deploy/systemd: the unit is one that systemd accepts, with the command that there is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "deploy/systemd/innoai.service"
INSTALLED = "/opt/innoai/.venv/bin/innoai"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    command = str(Path(sys.executable).with_name("innoai"))
    unit = tmp_path / UNIT.name
    written = UNIT.read_text("utf-8")
    assert INSTALLED in written
    unit.write_text(written.replace(INSTALLED, command), "utf-8")
    seen = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    said = [line for line in seen.stderr.splitlines() if unit.name in line]
    assert (seen.returncode, said) == (0, [])
