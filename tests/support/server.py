"""A real innoai server: a process of its own, its own directory, a port of the loopback interface."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

from tests.support import warm
from tests.support.processes import START_SECONDS, Child
from tests.support.settings import SHORTCUTS_VARIABLE

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

INNOAI = warm.INNOAI
MODEL = "inno-ai-boyong-4.5"
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", SHORTCUTS_VARIABLE)


def clean_environment(**added: str) -> dict[str, str]:
    """The environment of a newcomer: nothing of innoai or OpenAI in it but what is added.

    And whether the servers of this run take short ways.
    """
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, "PYTHONUTF8": "1", **added}


@dataclass(slots=True)
class Server:
    """A server in `directory`, with the innoai.toml that was written there."""

    directory: Path
    environment: Mapping[str, str]
    admin_key: str
    bind: str = "127.0.0.1:0"
    setup_url: str = ""
    _child: Child | None = field(default=None, init=False)

    @classmethod
    def initialise(cls, directory: Path, settings: str, **environment: str) -> Server:
        """Write the settings, and make the store as `innoai init --json` does."""
        (directory / "innoai.toml").write_text(settings, "utf-8")
        whole = clean_environment(**environment)
        made = warm.run(["init", "--json"], directory, whole)
        assert made.returncode == 0, made.stderr
        found = json.loads(made.stdout)
        return cls(directory, whole, found["api_key"], setup_url=found["dashboard_setup_url"])

    def replica(self) -> Server:
        """Another server of this installation, which is to have a port of its own."""
        return Server(self.directory, self.environment, self.admin_key)

    @property
    def child(self) -> Child:
        """The running process."""
        assert self._child is not None
        return self._child

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self.child.address

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, for sockets."""
        host, _, port = self.bind.rpartition(":")
        return host, int(port)

    @property
    def base_url(self) -> str:
        """What clients are given."""
        return f"{self.origin}/v1"

    @property
    def store(self) -> Path:
        """The SQLite file."""
        return self.directory / "innoai.db"

    def start(self) -> None:
        """Run `innoai serve` until it is ready; after the first time on the same port as before."""
        environment = {**self.environment, "INNOAI_SERVER_BIND": self.bind}
        self._child = Child(["serve"], self.directory, environment, warm.start)
        self._child.wait_until_listening()
        self.bind = self._child.address.removeprefix("http://")
        assert httpx.get(f"{self.origin}/readyz").status_code == 200

    def stop(self) -> int:
        """Stop it as an operator does, and give its exit status."""
        child, self._child = self.child, None
        status = child.stop()
        assert not [line for line in child.log if "Traceback" in line], child.log
        return status

    def kill(self) -> None:
        """End it as the machine's worst moment does."""
        child, self._child = self.child, None
        child.kill()

    def close(self) -> None:
        """Whatever state it is in, it does not run any more."""
        if self._child is not None:
            self.stop()

    def cli(
        self, *arguments: str, key: str | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line against this server, with the admin key unless another is given."""
        environment = clean_environment(
            INNOAI_BASE_URL=self.base_url, INNOAI_API_KEY=self.admin_key if key is None else key
        )
        return self._run(arguments, environment, stdin)

    def operator(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line beside this server, with the environment that it is started with."""
        return self._run(arguments, {**self.environment, "INNOAI_SERVER_BIND": self.bind}, "")

    def _run(
        self, arguments: Sequence[str], environment: Mapping[str, str], stdin: str
    ) -> subprocess.CompletedProcess[str]:
        ended = warm.run(arguments, self.directory, environment, stdin=stdin, timeout=START_SECONDS)
        assert "Traceback" not in ended.stderr
        return ended


def running(server: Server) -> Iterator[Server]:
    """The server while it is used; it has ended afterwards, whatever happened."""
    try:
        server.start()
        yield server
    finally:
        server.close()
