"""The data plane: authenticate, decide, forward, stream, meter."""

from __future__ import annotations
