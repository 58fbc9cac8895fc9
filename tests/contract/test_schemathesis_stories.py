"""schemathesis against a real server: stories of several requests, and all that it tries without a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.fuzzed import SECONDS, nothing_unexpected_happened, schemathesis, with_an_admin_key
from tests.support.server import MODEL, Server
from tests.support.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def fuzzed(new_server: Callable[..., Server]) -> Server:
    """A server that nobody else needs afterwards."""
    return new_server(settings({MODEL: [{"base_url": "echo:"}]}))


@pytest.mark.timeout(SECONDS)
def test_no_check_of_schemathesis_fails_in_a_story_with_an_admin_key(fuzzed, tmp_path):
    with_an_admin_key(fuzzed, tmp_path, "--max-examples=20", "--phases=examples,stateful")


@pytest.mark.timeout(SECONDS)
def test_no_check_of_schemathesis_fails_without_a_key(fuzzed, tmp_path):
    schemathesis(tmp_path, f"{fuzzed.origin}/openapi.json", "--max-examples=10")


def test_nothing_unexpected_happened_in_the_server_meanwhile(fuzzed):
    assert nothing_unexpected_happened(fuzzed)
