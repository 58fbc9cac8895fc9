from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of the test's own."""
    with Receiver().running() as running:
        yield running
