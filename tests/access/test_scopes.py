from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innoai.access.scopes import (
    ADMIN_FULL,
    DEFAULT_SCOPES,
    LEVELS,
    SCOPES,
    grants,
    in_order,
    level_of,
    scope_set,
)

DOCUMENTED = {
    "inference:read": "Access inference endpoints",
    "inference:write": "Create inference requests",
    "customers:read": "View customer data",
    "customers:write": "Modify customer data",
    "customers:delete": "Delete customers",
    "billing:read": "View billing information",
    "billing:write": "Update billing settings",
    "webhooks:read": "View webhook configurations",
    "webhooks:write": "Manage webhooks",
    "admin:full": "Full administrative access",
}
SCOPE = st.sampled_from(list(SCOPES))
SCOPE_SETS = st.frozensets(SCOPE)


def test_the_scopes_are_the_ten_of_the_documentation():
    assert dict(SCOPES) == DOCUMENTED


@given(SCOPE_SETS, SCOPE)
def test_a_scope_is_granted_by_itself_and_by_admin_full_alone(held, required):
    assert grants(held, required) == bool(held & {required, ADMIN_FULL})


@given(st.lists(SCOPE))
def test_a_scope_set_holds_what_it_was_given(scopes):
    assert scope_set(scopes) == set(scopes)


@given(SCOPE_SETS)
def test_equal_scope_sets_are_one_object(scopes):
    assert scope_set(scopes) is scope_set(sorted(scopes))


@pytest.mark.parametrize(
    "scope", ["", "inference", "inference:*", "INFERENCE:READ", "admin:full ", "\0", "é"]
)
def test_an_unknown_scope_is_named_and_the_known_ones_are_listed(scope):
    with pytest.raises(ValueError, match="unknown scope") as caught:
        scope_set(["inference:read", scope])
    assert repr(scope) in str(caught.value)
    assert all(known in str(caught.value) for known in SCOPES)


def test_the_first_of_several_unknown_scopes_is_always_the_same():
    with pytest.raises(ValueError, match="unknown scope 'a'"):
        scope_set(["c", "b", "a"])


@given(st.permutations(list(SCOPES)))
def test_scopes_are_listed_in_the_order_of_the_table(scopes):
    assert in_order(scopes) == tuple(SCOPES)
    assert in_order(scopes[:3]) == tuple(scope for scope in SCOPES if scope in scopes[:3])


def test_the_levels_are_cumulative():
    assert list(LEVELS) == ["read", "write", "delete", "admin"]
    reach = [frozenset(s for s in SCOPES if grants(preset, s)) for preset in LEVELS.values()]
    assert reach == sorted(reach, key=len)
    assert all(lower < higher for lower, higher in pairwise(reach))


def test_a_level_holds_the_scopes_that_its_verb_names():
    verbs = {"read": {"read"}, "write": {"read", "write"}, "delete": {"read", "write", "delete"}}
    for level, allowed in verbs.items():
        assert LEVELS[level] == {scope for scope in SCOPES if scope.split(":")[1] in allowed}
    assert LEVELS["admin"] == {ADMIN_FULL}


@given(SCOPE_SETS)
def test_a_level_is_told_from_its_exact_scopes(scopes):
    level = level_of(scopes)
    assert (LEVELS[level] == scopes) if level else (scopes not in LEVELS.values())


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_is_told(level):
    assert level_of(LEVELS[level]) == level


def test_the_default_scopes_are_inference_alone():
    assert DEFAULT_SCOPES == ("inference:read", "inference:write")
