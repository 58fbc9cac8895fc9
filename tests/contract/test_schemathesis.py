"""schemathesis against a real server: every check, every phase, the whole OpenAPI document.

For a longer look at a server of one's own, in /tmp/fuzzed and at port 8080:

    export FUZZED_DIRECTORY=/tmp/fuzzed FUZZED_ORIGIN=http://127.0.0.1:8080
    export SCHEMATHESIS_HOOKS=tests.contract.fuzzing PYTHONPATH=.
    .venv/bin/schemathesis --config-file tests/contract/schemathesis.toml \\
        run $FUZZED_ORIGIN/openapi.json --max-examples 300
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from innoai.access.budgets import DEFAULT_CURRENCY
from tests.support import server as servers
from tests.support.server import MODEL, Server, clean_environment
from tests.support.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
SEED = "20261124"


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that nobody else needs afterwards."""
    text = settings({MODEL: [{"base_url": "echo:"}]})
    yield from servers.running(Server.initialise(tmp_path_factory.mktemp("fuzzed"), text))


def schemathesis(directory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it in a directory of its own."""
    command = [
        SCHEMATHESIS,
        f"--config-file={Path(__file__).with_name('schemathesis.toml')}",
        "run",
        *arguments,
        f"--seed={SEED}",
        "--generation-database=none",
        "--no-color",
    ]
    return subprocess.run(
        command,
        cwd=directory,
        env=clean_environment(PYTHONPATH=str(ROOT), **environment),
        capture_output=True,
        text=True,
        check=False,
    )


def with_what_this_server_has(document: dict[str, Any]) -> dict[str, Any]:
    """The document where a request names this server's model and currency, so that it gets as far as them."""
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        members = schema.get("properties", {})
        if "model" in members and "minLength" in members["model"]:
            members["model"]["enum"] = [MODEL]
    schemas["ChangeSettings"]["properties"]["currency"]["enum"] = [DEFAULT_CURRENCY]
    return document


@pytest.mark.timeout(300)
def test_no_check_of_schemathesis_fails_with_an_admin_key(fuzzed, tmp_path):
    document = with_what_this_server_has(httpx.get(f"{fuzzed.origin}/openapi.json").json())
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    logged_in = {
        "SCHEMATHESIS_HOOKS": "tests.contract.fuzzing",
        "FUZZED_DIRECTORY": str(fuzzed.directory),
        "FUZZED_ORIGIN": fuzzed.origin,
    }
    run = schemathesis(tmp_path, "openapi.json", f"--url={fuzzed.origin}", "--max-examples=20", **logged_in)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.timeout(300)
def test_no_check_of_schemathesis_fails_without_a_key(fuzzed, tmp_path):
    run = schemathesis(tmp_path, f"{fuzzed.origin}/openapi.json", "--max-examples=10")
    assert run.returncode == 0, run.stdout + run.stderr


def test_nothing_unexpected_happened_in_the_server_meanwhile(fuzzed):
    assert [line for line in fuzzed.child.log if '"unexpected"' in line or "Traceback" in line] == []
