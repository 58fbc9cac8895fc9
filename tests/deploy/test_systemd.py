"""deploy/systemd: the unit is one that systemd accepts, and the documented steps make what it reads."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from innoai.cli.failures import ExitCode
from innoai.config import load

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy/systemd/innoai.service"
OPERATOR = ROOT / "deploy/systemd/innoai-operator"
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


def test_the_documented_steps_make_what_the_unit_reads(tmp_path: Path) -> None:
    page = (ROOT / "docs/deploying.md").read_text("utf-8")
    steps = [line for line in page.splitlines() if line.startswith("install -")]
    for folder in ("etc/systemd/system", "usr/local/sbin"):
        (tmp_path / folder).mkdir(parents=True)
    for step in steps:
        here = step.replace(" /opt/innoai/", f" {ROOT}/").replace(" /etc/", f" {tmp_path}/etc/")
        subprocess.run(here.replace(" /usr/", f" {tmp_path}/usr/"), shell=True, check=True)  # noqa: S602
    assert (tmp_path / "etc/systemd/system/innoai.service").read_text("utf-8") == UNIT.read_text("utf-8")
    assert (tmp_path / "usr/local/sbin/innoai-operator").stat().st_mode & 0o111
    (named,) = re.findall(r"^Environment=INNOAI_CONFIG=/(\S+)$", UNIT.read_text("utf-8"), re.MULTILINE)
    assert load(str(tmp_path / named), {}).server.bind == "127.0.0.1:8080"


def test_a_configuration_error_does_not_make_it_start_again() -> None:
    assert f"\nRestartPreventExitStatus={ExitCode.CONFIGURATION:d}\n" in UNIT.read_text("utf-8")


def test_the_operators_commands_run_as_the_service_does(tmp_path: Path) -> None:
    """By a systemd-run that tells what it was asked."""
    told = tmp_path / "systemd-run"
    told.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    told.chmod(0o755)
    asked = subprocess.run(
        [OPERATOR, "accounts", "create", "--name", "Two words"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert asked[-5:] == [INSTALLED, "accounts", "create", "--name", "Two words"]
    properties = [each.removeprefix("--property=") for each in asked if each.startswith("--property=")]
    unit = UNIT.read_text("utf-8").splitlines()
    assert [each for each in properties if each not in unit] == []
    stated = (
        "User",
        "DynamicUser",
        "StateDirectory",
        "WorkingDirectory",
        "Environment",
        "EnvironmentFile",
        "UMask",
    )
    assert {each.partition("=")[0] for each in properties} == {*stated, "StateDirectoryMode"}
