"""New ids, from the clock and the system's randomness."""

from __future__ import annotations

import os
import time

from innoai.ids import RANDOM_BYTES, new_id


def fresh_id(prefix: str) -> str:
    """A new id of that prefix, such as `key_0Uy…`."""
    return new_id(prefix, int(time.time() * 1000), os.urandom(RANDOM_BYTES))
