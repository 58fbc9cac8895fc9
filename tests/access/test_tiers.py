from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from innoai.access.tiers import DEFAULT_TIERS, FIRST_ACCOUNT_TIER, effective_models, effective_rate_limit
from innoai.access.tokens import MAX_LIFETIME, MIN_LIFETIME

TIERS = list(DEFAULT_TIERS.values())


def no_less(lower: int | None, higher: int | None) -> bool:
    return higher is None or (lower is not None and lower <= higher)


@pytest.mark.parametrize("name", DEFAULT_TIERS)
def test_a_tier_is_found_by_its_name(name):
    assert DEFAULT_TIERS[name].name == name


@pytest.mark.parametrize("tier", TIERS, ids=lambda tier: tier.name)
def test_a_tiers_defaults_are_within_its_bounds(tier):
    assert 1 <= tier.default_rate_limit <= tier.max_rate_limit
    assert MIN_LIFETIME <= tier.max_token_lifetime <= MAX_LIFETIME


@pytest.mark.parametrize("bound", ["default_rate_limit", "max_rate_limit", "max_keys", "max_customers"])
def test_a_higher_tier_never_allows_less(bound):
    bounds = [getattr(tier, bound) for tier in TIERS]
    assert all(no_less(lower, higher) for lower, higher in pairwise(bounds))


def test_the_documented_startup_tier_gives_a_thousand_requests_a_minute():
    assert DEFAULT_TIERS["startup"].default_rate_limit == 1000


def test_the_first_accounts_tier_has_no_bound_on_keys_customers_and_models():
    tier = DEFAULT_TIERS[FIRST_ACCOUNT_TIER]
    assert (tier.max_keys, tier.max_customers, tier.models) == (None, None, None)


@pytest.mark.parametrize(
    ("own", "tier", "effective"),
    [
        (None, "free", 60),
        (10, "free", 10),
        (121, "free", 120),
        (None, "startup", 1000),
        (10_001, "startup", 10_000),
    ],
)
def test_a_rate_limit_is_the_keys_own_within_its_tier(own, tier, effective):
    assert effective_rate_limit(own, DEFAULT_TIERS[tier]) == effective


@pytest.mark.parametrize(
    ("own", "tiers", "effective"),
    [
        (None, None, None),
        (("a", "b"), None, {"a", "b"}),
        (None, ("a", "c"), {"a", "c"}),
        (("a", "b"), ("a", "c"), {"a"}),
        (("b",), ("a", "c"), set()),
    ],
)
def test_the_models_of_a_key_are_its_own_among_its_tiers(own, tiers, effective):
    tier = replace(DEFAULT_TIERS["free"], models=tiers)
    assert effective_models(own, tier) == effective


def test_equal_sets_of_models_are_one_object():
    one, other = (effective_models(("a", "b"), DEFAULT_TIERS["free"]) for _ in range(2))
    assert one is other
