"""Tiers: what an account may have at most, and gets by default. None means without a bound."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

DAY = 86_400
MAX_RATE_LIMIT = 100_000_000
"""Requests a minute beyond which no limit can be set."""


WEBHOOKS = "webhooks"
STATEMENTS = "statements"
AUDIT = "audit"
FEATURES: Mapping[str, str] = MappingProxyType(
    {
        WEBHOOKS: "Webhook endpoints and their deliveries",
        STATEMENTS: "Monthly statements per customer",
        AUDIT: "The audit log",
    }
)
"""What a tier may leave out. None of it is left out unless the operator says so."""


@dataclass(frozen=True, slots=True)
class Tier:
    """`default_rate_limit` and `max_rate_limit` in requests a minute, `max_token_lifetime` in seconds."""

    name: str
    default_rate_limit: int
    max_rate_limit: int
    max_keys: int | None
    max_customers: int | None
    max_token_lifetime: int
    max_endpoints: int | None = None
    models: tuple[str, ...] | None = None
    features: tuple[str, ...] = tuple(FEATURES)


DEFAULT_TIERS: Mapping[str, Tier] = MappingProxyType(
    {
        tier.name: tier
        for tier in (
            Tier("free", 60, 120, 5, 10, 3600, 2),
            Tier("startup", 1000, 10_000, 50, 1000, DAY, 10),
            Tier("business", 10_000, 100_000, 1000, 100_000, DAY, 100),
            Tier("enterprise", 1_000_000, MAX_RATE_LIMIT, None, None, DAY),
        )
    }
)

FIRST_ACCOUNT_TIER = "enterprise"


def effective_rate_limit(rate_limit: int | None, tier: Tier) -> int:
    """Requests a minute: the key's own or the tier's default, never more than the tier allows."""
    return min(tier.default_rate_limit if rate_limit is None else rate_limit, tier.max_rate_limit)


def effective_models(models: Collection[str] | None, tier: Tier) -> frozenset[str] | None:
    """The models that a key may use: its own, of those the tier's; None where neither names any."""
    if models is None or tier.models is None:
        named = tier.models if models is None else models
        return None if named is None else _shared_models(frozenset(named))
    return _shared_models(frozenset(models) & frozenset(tier.models))


@lru_cache(maxsize=4096)
def _shared_models(models: frozenset[str]) -> frozenset[str]:
    """One object per combination: many keys have the same."""
    return models
