"""How schemathesis is run against a server: what it is told, and what about."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from innoai.access.budgets import DEFAULT_CURRENCY
from tests.support.server import MODEL, clean_environment

if TYPE_CHECKING:
    from tests.support.server import Server

_ROOT = Path(__file__).parents[2]
_SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
_SEED = "20261124"
SECONDS = 600
"""For a test that runs it: far more than it takes on a machine that does nothing else."""


def schemathesis(directory: Path, *arguments: str, **environment: str) -> None:
    """Run it in a directory of its own; every check has to hold."""
    command = [
        _SCHEMATHESIS,
        f"--config-file={Path(__file__).with_name('schemathesis.toml')}",
        "run",
        *arguments,
        f"--seed={_SEED}",
        "--generation-database=none",
        "--no-color",
    ]
    ended = subprocess.run(
        command,
        cwd=directory,
        env=clean_environment(PYTHONPATH=str(_ROOT), **environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def with_an_admin_key(server: Server, directory: Path, *arguments: str) -> None:
    """Run it with an admin key that nothing it does keeps away from it."""
    document = _with_what_it_has(httpx.get(f"{server.origin}/openapi.json").json())
    (directory / "openapi.json").write_text(json.dumps(document))
    logged_in = {
        "SCHEMATHESIS_HOOKS": "tests.contract.fuzzing",
        "FUZZED_DIRECTORY": str(server.directory),
        "FUZZED_ORIGIN": server.origin,
    }
    schemathesis(directory, "openapi.json", f"--url={server.origin}", *arguments, **logged_in)


def nothing_unexpected_happened(server: Server) -> bool:
    """Whether every answer was one that somebody had thought of."""
    return [line for line in server.child.log if '"unexpected"' in line or "Traceback" in line] == []


def _with_what_it_has(document: dict[str, Any]) -> dict[str, Any]:
    """The document where a request names this server's model and currency, so that it gets as far as them."""
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        members = schema.get("properties", {})
        if "model" in members and "minLength" in members["model"]:
            members["model"]["enum"] = [MODEL]
    schemas["ChangeSettings"]["properties"]["currency"]["enum"] = [DEFAULT_CURRENCY]
    return document
