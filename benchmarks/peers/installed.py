"""Other gateways from the package registries, installed once into a folder of the user's cache."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.processes import BenchError

CACHE = Path.home() / ".cache" / "innoai-bench"


def python_packages(name: str, *packages: str) -> Path:
    """The folder of programs of a virtual environment with these packages; BenchError when pip fails."""
    environment = CACHE / name
    done = environment / ".installed"
    if not done.exists():
        shutil.rmtree(environment, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(environment)])
        _run([str(environment / "bin" / "pip"), "install", "--quiet", *packages])
        done.touch()
    return environment / "bin"


def node_package(name: str, package: str) -> Path:
    """The folder of an npm package; BenchError when npm is not there or fails."""
    folder = CACHE / name
    installed = folder / "node_modules" / package
    if not (folder / ".installed").exists():
        if shutil.which("npm") is None:
            raise BenchError(f"{package} wants npm: apt-get install nodejs npm")
        folder.mkdir(parents=True, exist_ok=True)
        _run(["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", package])
        (folder / ".installed").touch()
    return installed


def version_of(programs: Path, package: str) -> str:
    """The installed version of a Python package, as its own environment says."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return _run([str(programs / "python"), "-c", code]).strip()


def _run(command: list[str]) -> str:
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise BenchError(f"{' '.join(command)} failed: {(run.stderr or run.stdout).strip()[-500:]}")
    return run.stdout
