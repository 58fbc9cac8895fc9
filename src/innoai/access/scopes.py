"""The ten scopes and the four levels, as one table each.

`admin:full` implies every other scope; no other scope implies another. A level is a cumulative
preset over the scopes: a convenience when a key is made, never a right of its own.
"""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

INFERENCE_READ = "inference:read"
INFERENCE_WRITE = "inference:write"
CUSTOMERS_READ = "customers:read"
CUSTOMERS_WRITE = "customers:write"
CUSTOMERS_DELETE = "customers:delete"
BILLING_READ = "billing:read"
BILLING_WRITE = "billing:write"
WEBHOOKS_READ = "webhooks:read"
WEBHOOKS_WRITE = "webhooks:write"
ADMIN_FULL = "admin:full"

SCOPES: Mapping[str, str] = MappingProxyType(
    {
        INFERENCE_READ: "Access inference endpoints",
        INFERENCE_WRITE: "Create inference requests",
        CUSTOMERS_READ: "View customer data",
        CUSTOMERS_WRITE: "Modify customer data",
        CUSTOMERS_DELETE: "Delete customers",
        BILLING_READ: "View billing information",
        BILLING_WRITE: "Update billing settings",
        WEBHOOKS_READ: "View webhook configurations",
        WEBHOOKS_WRITE: "Manage webhooks",
        ADMIN_FULL: "Full administrative access",
    }
)

DEFAULT_SCOPES = (INFERENCE_READ, INFERENCE_WRITE)

_READ = (INFERENCE_READ, CUSTOMERS_READ, BILLING_READ, WEBHOOKS_READ)
_WRITE = (*_READ, INFERENCE_WRITE, CUSTOMERS_WRITE, BILLING_WRITE, WEBHOOKS_WRITE)
_DELETE = (*_WRITE, CUSTOMERS_DELETE)


@lru_cache(maxsize=1 << len(SCOPES))
def _shared(scopes: frozenset[str]) -> frozenset[str]:
    """One object per combination, so that a hundred thousand cached keys share a few sets."""
    return scopes


def scope_set(scopes: Iterable[str]) -> frozenset[str]:
    """The scopes as a shared set; a ValueError names the first that does not exist."""
    wanted = frozenset(scopes)
    for scope in sorted(wanted):
        if scope not in SCOPES:
            raise ValueError(f"unknown scope {scope!r}; the scopes are {', '.join(SCOPES)}")
    return _shared(wanted)


LEVELS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "read": scope_set(_READ),
        "write": scope_set(_WRITE),
        "delete": scope_set(_DELETE),
        "admin": scope_set((ADMIN_FULL,)),
    }
)


def in_order(scopes: Iterable[str]) -> tuple[str, ...]:
    """The scopes in the table's order, which is how answers list them."""
    wanted = frozenset(scopes)
    return tuple(scope for scope in SCOPES if scope in wanted)


def level_of(scopes: frozenset[str]) -> str | None:
    """The level whose preset is exactly these scopes, if there is one."""
    return next((level for level, preset in LEVELS.items() if preset == scopes), None)


def both(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    """What two sets grant together: that which either alone would grant."""
    if ADMIN_FULL in other:
        return one
    return other if ADMIN_FULL in one else one & other


def grants(held: frozenset[str], required: str) -> bool:
    """Whether holding `held` suffices for `required`."""
    return required in held or ADMIN_FULL in held
