"""schemathesis against a real server: every check, the whole OpenAPI document, request by request.

Its stories of several requests are in test_schemathesis_stories.py, for another process.

For a longer look at a server of one's own, in /tmp/fuzzed and at port 8080:

    export FUZZED_DIRECTORY=/tmp/fuzzed FUZZED_ORIGIN=http://127.0.0.1:8080
    export SCHEMATHESIS_HOOKS=tests.contract.fuzzing PYTHONPATH=.
    .venv/bin/schemathesis --config-file tests/contract/schemathesis.toml \\
        run $FUZZED_ORIGIN/openapi.json --max-examples 300
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.fuzzed import SECONDS, nothing_unexpected_happened, with_an_admin_key
from tests.support.server import MODEL, Server
from tests.support.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def fuzzed(new_server: Callable[..., Server]) -> Server:
    """A server that nobody else needs afterwards."""
    return new_server(settings({MODEL: [{"base_url": "echo:"}]}))


@pytest.mark.timeout(SECONDS)
def test_no_check_of_schemathesis_fails_with_an_admin_key(fuzzed, tmp_path):
    with_an_admin_key(fuzzed, tmp_path, "--max-examples=20", "--phases=examples,coverage,fuzzing")


def test_nothing_unexpected_happened_in_the_server_meanwhile(fuzzed):
    assert nothing_unexpected_happened(fuzzed)
