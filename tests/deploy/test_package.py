"""What deploy/container installs: the built wheel, without the repository around it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.server import clean_environment

ROOT = Path(__file__).parents[2]
CODE = "import innoai, sys; from innoai.cli.main import run; sys.argv[0] = 'innoai'; run()"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The contents of the wheel."""
    built, unpacked = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("unpacked")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = built.glob("innoai-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    return unpacked


def innoai(unpacked: Path, directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(
        PYTHONPATH=str(unpacked), INNOAI_CONFIG=str(ROOT / "deploy/container/innoai.toml")
    )
    return subprocess.run(
        [sys.executable, "-c", CODE, *arguments],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_file_of_the_source_that_is_not_python_is_in_the_wheel(unpacked: Path) -> None:
    source = ROOT / "src"
    data = {
        path.relative_to(source)
        for path in (source / "innoai").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {path for path in data if not (unpacked / path).is_file()} == set()


def test_the_wheel_makes_an_installation_by_the_settings_of_the_compose_file(
    unpacked: Path, tmp_path: Path
) -> None:
    where = subprocess.run(
        [sys.executable, "-c", "import innoai; print(innoai.__file__)"],
        env=clean_environment(PYTHONPATH=str(unpacked)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(unpacked))
    made = innoai(unpacked, tmp_path, "init", "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["api_key"].startswith("sk-inno-")
    examined = innoai(unpacked, tmp_path, "doctor", "--json")
    assert json.loads(examined.stdout)["ok"], examined.stdout
