from __future__ import annotations

import io
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

from innoai.cli.main import run as run_here
from tests.cli.peer import Peer
from tests.support import warm

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

API_KEY = "sk-inno-environment"
COMMAND = (sys.executable, "-m", "innoai.cli.main")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


class Run(Protocol):
    def __call__(self, *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Ended: ...


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    peer.start()
    yield peer
    peer.stop()


@pytest.fixture
def environment(peer: Peer) -> dict[str, str]:
    """A clean environment that names the scripted server and a key."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**inherited, "INNOAI_BASE_URL": peer.base_url, "INNOAI_API_KEY": API_KEY, "PYTHONUTF8": "1"}


@pytest.fixture
def innoai(environment: dict[str, str], tmp_path: Path) -> Run:
    """The real command in a process of its own, its directory an empty one."""

    def run(*arguments: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Ended:
        ended = warm.run(arguments, tmp_path, {**environment, **(env or {})}, stdin=stdin)
        assert "Traceback" not in ended.stderr
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return run


@pytest.fixture
def innoai_here(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """The command in this process, for tables of many cases; `innoai` is the real thing."""

    def run(*arguments: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Ended:
        for name, value in {**environment, **(env or {})}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        code = run_here(arguments)
        return Ended(code, *capsys.readouterr())

    return run
