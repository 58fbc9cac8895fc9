"""The access-control matrix."""

from __future__ import annotations

from innoai.sdk.calls.call import Call
from innoai.sdk.models.tiers import AccessMatrix


def tiers() -> Call[AccessMatrix]:
    """The access-control matrix: tiers, scopes, levels and the scope that each route asks for."""
    return Call("get", "/tiers", AccessMatrix)
