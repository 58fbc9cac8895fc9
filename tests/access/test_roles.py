from __future__ import annotations

import pytest
from msgspec import structs

from innoai.access.decide import STANDING, Request, decide
from innoai.access.principal import Member, Principal
from innoai.access.roles import (
    ADMIN,
    DEVELOPER,
    MEMBER_RATE_LIMIT,
    OWNER,
    ROLES,
    VIEWER,
    is_owners_key,
    may_appoint,
    member_principal,
)
from innoai.access.routes import ROUTES, route_for
from innoai.access.scopes import ADMIN_FULL, SCOPES
from tests.access.facts import ACCOUNT, KEY, NOW

ENDS = NOW + 3600.0
EACH_ROLE = pytest.mark.parametrize("role", ROLES)


def principal(role: str):
    return member_principal(ACCOUNT, Member("mem_1", role), ENDS, None)


def asked(method: str, path: str) -> Request:
    return Request(route_for(method, path), None)


def test_there_are_the_four_roles_of_the_store():
    assert list(ROLES) == [OWNER, ADMIN, DEVELOPER, VIEWER] == ["owner", "admin", "developer", "viewer"]


@pytest.mark.parametrize("role", [OWNER, ADMIN])
def test_owners_and_admins_may_use_every_route(role):
    for route in ROUTES:
        assert decide(principal(role), Request(route, None), NOW).allowed


def test_a_developer_may_do_all_but_what_asks_for_admin_full():
    assert ROLES[DEVELOPER] == SCOPES.keys() - {ADMIN_FULL}
    for route in ROUTES:
        decision = decide(principal(DEVELOPER), Request(route, None), NOW)
        assert decision.allowed == (route.scope != ADMIN_FULL)


def test_a_viewer_changes_nothing():
    assert {scope.partition(":")[2] for scope in ROLES[VIEWER]} == {"read"}
    assert {scope for scope in SCOPES if scope.endswith(":read")} == ROLES[VIEWER]


@EACH_ROLE
def test_a_session_that_has_ended_is_told_so(role):
    decision = decide(principal(role), asked("GET", "/v1/tiers"), ENDS)
    assert decision.refused_by == STANDING
    assert decision.refusal is not None
    assert decision.refusal.message == "The session has ended. Sign in again."


def test_an_explanation_speaks_of_the_session():
    decision = decide(principal(VIEWER), asked("GET", "/v1/tiers"), NOW)
    standing = next(check for check in decision.checks if check.name == STANDING)
    assert standing.detail.startswith("the session is live until")


def test_a_member_is_bound_by_the_tiers_models_and_one_rate():
    bounds = member_principal(ACCOUNT, Member("mem_1", VIEWER), ENDS, frozenset({"small"})).key
    assert bounds.id == "mem_1"
    assert bounds.models == frozenset({"small"})
    assert bounds.rate_limit == MEMBER_RATE_LIMIT
    assert bounds.networks.admit(None)


@pytest.mark.parametrize("role", [OWNER, ADMIN])
@pytest.mark.parametrize("other", ROLES)
def test_only_owners_touch_owners(role, other):
    assert may_appoint(principal(role), other) == (role == OWNER or other != OWNER)


@pytest.mark.parametrize("by_owner", [True, False])
def test_a_key_touches_owners_if_an_owner_has_made_it(by_owner):
    caller = Principal(ACCOUNT, structs.replace(KEY, by_owner=by_owner), None)
    assert may_appoint(caller, ADMIN, VIEWER)
    assert may_appoint(caller, OWNER, VIEWER) == by_owner


@pytest.mark.parametrize("role", [OWNER, ADMIN])
@pytest.mark.parametrize("before", [True, False])
def test_a_key_is_an_owners_while_nobody_else_has_had_a_hand_in_it(role, before):
    assert is_owners_key(principal(role), before=before) == (role == OWNER and before)
    assert is_owners_key(principal(role)) == (role == OWNER)


def test_an_admin_who_would_make_an_owner_of_a_viewer_is_refused():
    assert not may_appoint(principal(ADMIN), VIEWER, OWNER)
