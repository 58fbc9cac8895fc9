from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as with_changes
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from innoai.access.decide import CHECKS, RATE, RULES, Check, Decision, Request, decide
from innoai.access.limits import take
from innoai.access.networks import Networks, parse_address, parse_networks
from innoai.access.principal import Principal, Unauthenticated
from innoai.access.routes import ROUTES, route_for
from innoai.access.scopes import ADMIN_FULL, SCOPES, grants, scope_set
from innoai.errors import ERRORS, refusal
from tests.access.facts import ACCOUNT, CLAIMS, CUSTOMER, KEY_PRINCIPAL, NOW, TOKEN_PRINCIPAL

if TYPE_CHECKING:
    from collections.abc import Callable

CHAT = route_for("POST", "/v1/chat/completions")
MODELS = route_for("GET", "/v1/models")
CUSTOMERS = route_for("POST", "/v1/customers")
VALIDATE = route_for("GET", "/v1/auth/validate")
DELETE_KEY = route_for("DELETE", "/v1/keys/{key_id}")
ROTATE_KEY = route_for("POST", "/v1/keys/{key_id}/rotate")

INSIDE = parse_address("10.1.2.3")
OUTSIDE = parse_address("203.0.113.9")
REQUEST = Request(CHAT, INSIDE, model="inno-ai-boyong-4.5")

BOTH = pytest.mark.parametrize("principal", [KEY_PRINCIPAL, TOKEN_PRINCIPAL], ids=["key", "token"])


def with_key(principal: Principal, **changes: object) -> Principal:
    return replace(principal, key=replace(principal.key, **changes))


def with_token(**changes: object) -> Principal:
    return replace(TOKEN_PRINCIPAL, token=msgspec.structs.replace(CLAIMS, **changes))


def code_of(decision: Decision) -> str | None:
    return None if decision.refusal is None else decision.refusal.code


def outcomes(decision: Decision) -> dict[str, str]:
    return {check.name: check.outcome for check in decision.checks}


def detail(decision: Decision, name: str) -> str:
    return next(check.detail for check in decision.checks if check.name == name)


def test_the_checks_run_in_the_documented_order():
    assert CHECKS == ("credential", "standing", "tenancy", "network", "scope", "model", "budget", "rate")
    assert CHECKS[1:-2] == tuple(rule.name for rule in RULES)


@BOTH
def test_a_credential_without_defects_passes(principal):
    decision = decide(principal, REQUEST, NOW)
    assert decision.allowed
    assert decision.refusal is None
    assert decision.principal is principal


# The order of the checks


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing that is wrong, the check that has to find it, and the code that it is refused with."""

    check: str
    code: str
    spoil: Callable[[Principal, Request], tuple[Principal, Request]]
    only_tokens: bool = False


DEFECTS = {
    "revoked key": Defect("standing", "invalid_api_key", lambda p, r: (with_key(p, revoked_at=NOW - 1.0), r)),
    "expired key": Defect("standing", "invalid_api_key", lambda p, r: (with_key(p, expires_at=NOW - 1.0), r)),
    "expired token": Defect(
        "standing",
        "token_expired",
        lambda p, r: (replace(p, token=msgspec.structs.replace(p.token or CLAIMS, exp=NOW - 1)), r),
        only_tokens=True,
    ),
    "disabled account": Defect(
        "tenancy",
        "invalid_api_key",
        lambda p, r: (replace(p, account=replace(p.account, disabled=True)), r),
    ),
    "disabled customer": Defect(
        "tenancy", "invalid_api_key", lambda p, r: (replace(p, customer=replace(CUSTOMER, disabled=True)), r)
    ),
    "foreign address": Defect(
        "network",
        "ip_not_allowed",
        lambda p, r: (with_key(p, networks=parse_networks(["192.0.2.0/24"])), r),
    ),
    "key without the scope": Defect(
        "scope",
        "insufficient_permissions",
        lambda p, r: (with_key(p, scopes=scope_set(set(SCOPES) - {"inference:write", ADMIN_FULL})), r),
    ),
    "token without the scope": Defect(
        "scope",
        "insufficient_permissions",
        lambda p, r: (replace(p, token=msgspec.structs.replace(p.token or CLAIMS, scope="billing:read")), r),
        only_tokens=True,
    ),
    "model not allowed": Defect(
        "model", "model_not_allowed", lambda p, r: (with_key(p, models=frozenset({"another-model"})), r)
    ),
    "model not served": Defect("model", "model_not_found", lambda p, r: (p, replace(r, model_served=False))),
}
"""In the documented order, so that the first of any of them is the one to be named."""


@settings(max_examples=300)
@given(chosen=st.sets(st.sampled_from(list(DEFECTS))), is_token=st.booleans(), shuffled=st.randoms())
@example(chosen=set(DEFECTS), is_token=True, shuffled=None)
def test_the_first_check_that_refuses_is_the_one_that_is_named(chosen, is_token, shuffled):
    present = [
        defect for name, defect in DEFECTS.items() if name in chosen and (is_token or not defect.only_tokens)
    ]
    principal, request = (TOKEN_PRINCIPAL if is_token else KEY_PRINCIPAL), REQUEST
    spoilers = list(present)
    if shuffled is not None:
        shuffled.shuffle(spoilers)
    for defect in spoilers:
        principal, request = defect.spoil(principal, request)

    decision = decide(principal, request, NOW)

    first = present[0] if present else None
    assert decision.allowed == (first is None)
    assert decision.refused_by == (first.check if first else None)
    assert code_of(decision) == (first.code if first else None)
    at = CHECKS.index(first.check) if first else len(CHECKS)
    assert [check.outcome for check in decision.checks if check.name != RATE] == [
        *["passed"] * min(at, len(CHECKS) - 1),
        *["refused"] * (first is not None),
        *["not_reached"] * (len(CHECKS) - at - 2),
    ]
    assert outcomes(decision)[RATE] == "not_reached"


@pytest.mark.parametrize("check", ["credential", "standing"])
def test_who_is_nobody_is_refused_by_the_check_that_found_out(check):
    nobody = Unauthenticated(check, refusal("invalid_api_key"))
    decision = decide(nobody, REQUEST, NOW)
    assert not decision.allowed
    assert decision.principal is None
    assert decision.refused_by == check
    assert outcomes(decision)[check] == "refused"
    assert set(outcomes(decision).values()) <= {"passed", "refused", "not_reached"}
    assert list(outcomes(decision).values()).count("not_reached") == len(CHECKS) - CHECKS.index(check) - 1
    assert detail(decision, check) == ERRORS["invalid_api_key"].message


def test_a_well_formed_key_that_nobody_knows_passes_its_first_check():
    decision = decide(Unauthenticated("standing", refusal("invalid_api_key")), REQUEST, NOW)
    assert decision.checks[0] == Check("credential", "passed", "the credential is well-formed")


# A token and its key


SCOPE_SETS = st.frozensets(st.sampled_from(list(SCOPES)), min_size=1)
MOMENTS = st.sampled_from([NOW - 1, NOW, NOW + 1])
NETWORKS = st.sampled_from(
    [Networks(), parse_networks(["10.0.0.0/8"]), parse_networks(["203.0.113.0/24", "::1"])]
)
PRINCIPALS = st.builds(
    Principal,
    account=st.builds(replace, st.just(KEY_PRINCIPAL.account), disabled=st.booleans()),
    key=st.builds(
        replace,
        st.just(KEY_PRINCIPAL.key),
        scopes=SCOPE_SETS,
        networks=NETWORKS,
        models=st.none() | st.frozensets(st.sampled_from(["a", "b"])),
        expires_at=st.none() | MOMENTS,
        revoked_at=st.none() | MOMENTS,
    ),
    customer=st.none() | st.builds(replace, st.just(CUSTOMER), disabled=st.booleans()),
    token=st.builds(
        lambda scopes, exp: msgspec.structs.replace(CLAIMS, scope=" ".join(sorted(scopes)), exp=exp),
        SCOPE_SETS,
        MOMENTS,
    ),
)
REQUESTS = st.builds(
    Request,
    route=st.sampled_from(ROUTES),
    address=st.sampled_from([None, INSIDE, OUTSIDE]),
    model=st.sampled_from([None, "a", "b"]),
    model_served=st.booleans(),
    target_key=st.sampled_from([None, "key_1", "key_2"]),
)
SOUND_PRINCIPALS = PRINCIPALS.map(
    lambda principal: replace(
        principal,
        account=KEY_PRINCIPAL.account,
        key=replace(principal.key, revoked_at=None, expires_at=None),
        customer=CUSTOMER,
    )
)


@given(PRINCIPALS | SOUND_PRINCIPALS, REQUESTS)
def test_a_token_never_passes_where_its_key_would_not(principal, request_):
    if decide(principal, request_, NOW).allowed:
        assert decide(replace(principal, token=None), request_, NOW).allowed


@given(PRINCIPALS | SOUND_PRINCIPALS, REQUESTS)
def test_a_token_that_passes_carries_the_scope_itself(principal, request_):
    if decide(principal, request_, NOW).allowed and request_.route.scope is not None:
        assert grants(principal.token.scopes, request_.route.scope)
        assert principal.token.exp > NOW


@given(PRINCIPALS | SOUND_PRINCIPALS, REQUESTS)
def test_every_decision_explains_itself_in_one_pass(principal, request_):
    decision = decide(principal, request_, NOW)
    names = [check.name for check in decision.checks]
    assert names == list(CHECKS)
    refused = [check for check in decision.checks if check.outcome == "refused"]
    assert len(refused) == (0 if decision.allowed else 1)
    assert all(check.name == decision.refused_by for check in refused)
    assert all(check.detail for check in decision.checks[:-1] if check.outcome == "passed")
    assert all(check.detail == "" for check in decision.checks if check.outcome == "not_reached")


# Standing


@BOTH
def test_a_revoked_key_is_refused_with_all_its_tokens(principal):
    decision = decide(with_key(principal, revoked_at=NOW + 1000.0), REQUEST, NOW)
    assert decision.refusal == refusal("invalid_api_key")


@BOTH
def test_a_key_expires_at_its_moment_and_not_before(principal):
    ending = with_key(principal, expires_at=NOW + 0.5)
    assert decide(ending, REQUEST, NOW + 0.25).allowed
    decision = decide(ending, REQUEST, NOW + 0.5)
    assert code_of(decision) == "invalid_api_key"
    assert decision.refusal is not None
    assert "has expired" in decision.refusal.message


def test_a_token_expires_at_its_moment_and_not_before():
    assert decide(TOKEN_PRINCIPAL, REQUEST, CLAIMS.exp - 0.001).allowed
    assert code_of(decide(TOKEN_PRINCIPAL, REQUEST, CLAIMS.exp)) == "token_expired"


def test_an_expired_token_is_told_where_to_get_the_next():
    access = decide(with_token(exp=NOW - 1), REQUEST, NOW)
    refresh = decide(with_token(exp=NOW - 1, token_use="refresh"), REQUEST, NOW)
    assert access.refusal == refusal("token_expired")
    assert refresh.refusal == refusal(
        "token_expired", "The refresh token has expired. Get new tokens from POST /v1/auth/token."
    )


def test_a_revoked_keys_expired_token_is_told_that_the_key_is_gone():
    decision = decide(with_key(with_token(exp=NOW - 1), revoked_at=NOW - 5.0), REQUEST, NOW)
    assert code_of(decision) == "invalid_api_key"


@pytest.mark.parametrize(
    ("principal", "says"),
    [
        (KEY_PRINCIPAL, "the key is live and does not expire"),
        (
            with_key(KEY_PRINCIPAL, expires_at=NOW + 86_400.0),
            "the key is live until 2026-11-19T11:06:40+00:00",
        ),
        (TOKEN_PRINCIPAL, "the token is live until 2026-11-18T12:06:40+00:00"),
    ],
)
def test_standing_tells_until_when(principal, says):
    assert detail(decide(principal, REQUEST, NOW), "standing") == says


# Tenancy


@BOTH
def test_a_disabled_account_refuses_every_credential(principal):
    decision = decide(replace(principal, account=replace(principal.account, disabled=True)), REQUEST, NOW)
    assert decision.refusal is not None
    assert decision.refusal.message.startswith("The account of this credential is disabled.")


@BOTH
def test_a_disabled_customer_refuses_every_credential(principal):
    decision = decide(replace(principal, customer=replace(CUSTOMER, disabled=True)), REQUEST, NOW)
    assert decision.refusal is not None
    assert decision.refusal.message.startswith("The customer that this credential acts for is disabled.")


def test_tenancy_tells_whose():
    assert detail(decide(KEY_PRINCIPAL, REQUEST, NOW), "tenancy") == (
        "the account and customer customer-123 are alive"
    )
    alone = decide(replace(KEY_PRINCIPAL, customer=None), REQUEST, NOW)
    assert alone.allowed
    assert detail(alone, "tenancy") == "the account is alive"


# Network


@BOTH
@pytest.mark.parametrize(("address", "allowed"), [(INSIDE, True), (OUTSIDE, False), (None, False)])
def test_a_keys_networks_hold_for_its_tokens_too(principal, address, allowed):
    bound = with_key(principal, networks=parse_networks(["10.0.0.0/8"]))
    decision = decide(bound, replace(REQUEST, address=address), NOW)
    assert decision.allowed == allowed
    assert code_of(decision) == (None if allowed else "ip_not_allowed")


def test_network_tells_where():
    bound = with_key(KEY_PRINCIPAL, networks=parse_networks(["10.0.0.0/8", "::1"]))
    assert detail(decide(bound, REQUEST, NOW), "network") == "10.1.2.3 is within 10.0.0.0/8, ::1/128"
    assert detail(decide(KEY_PRINCIPAL, replace(REQUEST, address=None), NOW), "network") == (
        "any address may use it"
    )


# Scope


@given(SCOPE_SETS, st.sampled_from(ROUTES))
def test_a_key_passes_where_its_scopes_grant_the_routes(scopes, route):
    own = replace(KEY_PRINCIPAL, customer=None)
    decision = decide(with_key(own, scopes=scopes), Request(route, INSIDE), NOW)
    assert decision.allowed == (route.scope is None or grants(scopes, route.scope))
    if not decision.allowed:
        assert decision.refusal == refusal("insufficient_permissions", required_scope=route.scope)


@given(SCOPE_SETS, SCOPE_SETS, st.sampled_from(ROUTES))
def test_a_token_passes_where_its_own_and_its_keys_scopes_grant_the_routes(key_scopes, scopes, route):
    own = replace(with_token(scope=" ".join(scopes)), customer=None)
    principal = with_key(own, scopes=key_scopes)
    both = route.scope is None or (grants(key_scopes, route.scope) and grants(scopes, route.scope))
    assert decide(principal, Request(route, INSIDE), NOW).allowed == both


def test_a_key_may_always_revoke_itself_and_no_other():
    powerless = with_key(KEY_PRINCIPAL, scopes=scope_set(["billing:read"]))
    own = decide(powerless, Request(DELETE_KEY, INSIDE, target_key="key_1"), NOW)
    assert own.allowed
    assert detail(own, "scope") == "a key may always use this route on itself"
    assert not decide(powerless, Request(DELETE_KEY, INSIDE, target_key="key_2"), NOW).allowed
    assert not decide(powerless, Request(DELETE_KEY, INSIDE), NOW).allowed


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_that_is_asked_for_beside_the_routes_has_to_be_granted_too(scope):
    request = Request(MODELS, INSIDE, required_scope=scope)
    for held in (["inference:read"], ["inference:read", scope], [scope], [ADMIN_FULL]):
        scopes = scope_set(held)
        decision = decide(with_key(KEY_PRINCIPAL, scopes=scopes), request, NOW)
        missing = [asked for asked in (scope, "inference:read") if not grants(scopes, asked)]
        refused = refusal("insufficient_permissions", required_scope=missing[0]) if missing else None
        assert decision.refusal == refused


def test_a_key_may_not_rotate_itself_without_the_scope():
    assert not decide(KEY_PRINCIPAL, Request(ROTATE_KEY, INSIDE, target_key="key_1"), NOW).allowed


def test_a_token_may_not_revoke_the_key_that_it_came_from():
    decision = decide(TOKEN_PRINCIPAL, Request(DELETE_KEY, INSIDE, target_key="key_1"), NOW)
    assert code_of(decision) == "insufficient_permissions"


def test_a_revoked_key_may_not_even_revoke_itself():
    revoked = with_key(KEY_PRINCIPAL, revoked_at=NOW - 1.0)
    decision = decide(revoked, Request(DELETE_KEY, INSIDE, target_key="key_1"), NOW)
    assert code_of(decision) == "invalid_api_key"


@pytest.mark.parametrize("scopes", [(ADMIN_FULL,), tuple(SCOPES)])
def test_there_is_no_shortcut_for_admins(scopes):
    admin = with_key(
        KEY_PRINCIPAL, scopes=scope_set(scopes), networks=parse_networks(["192.0.2.0/24"]), revoked_at=None
    )
    assert code_of(decide(admin, REQUEST, NOW)) == "ip_not_allowed"
    assert code_of(decide(with_key(admin, revoked_at=NOW - 1.0), REQUEST, NOW)) == "invalid_api_key"


@pytest.mark.parametrize(
    ("scopes", "route", "says"),
    [
        (["inference:read"], VALIDATE, "the route asks for no scope"),
        (["inference:read", ADMIN_FULL], MODELS, "inference:read is among its scopes"),
        ([ADMIN_FULL], CUSTOMERS, "admin:full implies customers:write"),
    ],
)
def test_scope_tells_why_it_passed(scopes, route, says):
    principal = with_key(KEY_PRINCIPAL, scopes=scope_set(scopes))
    assert detail(decide(principal, Request(route, INSIDE), NOW), "scope") == says


def test_scope_tells_of_the_tokens_scopes_not_of_its_keys():
    principal = with_key(with_token(scope="inference:read"), scopes=scope_set([ADMIN_FULL]))
    assert detail(decide(principal, Request(MODELS, INSIDE), NOW), "scope") == (
        "inference:read is among its scopes"
    )


def test_a_principals_scopes_are_its_tokens_or_else_its_keys():
    assert KEY_PRINCIPAL.scopes == KEY_PRINCIPAL.key.scopes
    assert with_token(scope="inference:read").scopes == {"inference:read"}


@pytest.mark.parametrize(
    ("key", "token", "together"),
    [
        ("inference:read", "inference:read inference:write", {"inference:read"}),
        ("customers:read", "inference:read", set()),
        ("inference:read billing:read", "admin:full", {"inference:read", "billing:read"}),
        ("admin:full", "inference:read", {"inference:read"}),
        ("admin:full inference:read", "admin:full", {"admin:full"}),
    ],
)
def test_a_tokens_scopes_count_only_as_far_as_its_key_has_them(key, token, together):
    assert with_key(with_token(scope=token), scopes=scope_set(key.split())).scopes == together


# Model


@BOTH
def test_a_model_that_the_key_may_not_use_is_refused_whether_or_not_it_is_served(principal):
    bound = with_key(principal, models=frozenset({"another-model"}))
    for served in (True, False):
        decision = decide(bound, replace(REQUEST, model_served=served), NOW)
        assert decision.refusal == refusal("model_not_allowed", param="model")


@BOTH
def test_a_model_that_is_not_served_is_not_found(principal):
    decision = decide(principal, replace(REQUEST, model_served=False), NOW)
    assert decision.refusal == refusal("model_not_found", param="model")


def test_a_key_for_no_model_at_all_may_use_none():
    assert code_of(decide(with_key(KEY_PRINCIPAL, models=frozenset()), REQUEST, NOW)) == "model_not_allowed"


@pytest.mark.parametrize(
    ("models", "model", "says"),
    [
        (None, None, "the route names no model"),
        (None, "b", "every model may be used, b too"),
        (frozenset("cba"), "b", "b is among a, b, c"),
    ],
)
def test_model_tells_why_it_passed(models, model, says):
    decision = decide(with_key(KEY_PRINCIPAL, models=models), replace(REQUEST, model=model), NOW)
    assert detail(decision, "model") == says


# Rate


def test_a_decision_with_room_in_the_bucket_tells_what_is_left():
    rate = take(0, 0, 1000)
    decision = decide(KEY_PRINCIPAL, REQUEST, NOW).rated(rate)
    assert decision.allowed
    assert decision.rate is rate
    assert decision.checks[-1] == Check("rate", "passed", "999 of 1000 a minute are left")


def test_a_decision_with_an_empty_bucket_is_refused_by_rate_and_says_when_to_come_back():
    first = take(0, 0, 1)
    decision = decide(KEY_PRINCIPAL, REQUEST, NOW).rated(take(first.tat, 0, 1))
    assert not decision.allowed
    assert decision.refusal == refusal("rate_limit_exceeded", retry_after=60)
    assert list(outcomes(decision).values()) == ["passed"] * 7 + ["refused"]
    assert decision.checks[-1] == Check("rate", "refused", ERRORS["rate_limit_exceeded"].message)


def test_a_spent_limit_keeps_no_key_from_ending_itself():
    """Else who has stolen it could keep it alive by using it."""
    spent = take(take(0, 0, 1).tat, 0, 1)
    own, other = (Request(DELETE_KEY, INSIDE, target_key=key_id) for key_id in ("key_1", "key_2"))
    assert decide(KEY_PRINCIPAL, own, NOW).rated(spent).allowed
    assert not decide(KEY_PRINCIPAL, other, NOW).rated(spent).allowed
    assert not decide(TOKEN_PRINCIPAL, own, NOW).rated(spent).allowed


# Routes of the whole account, and what a tier includes


def test_a_route_of_the_whole_account_takes_no_customers_credential():
    request = replace(REQUEST, route=with_changes(CHAT, account_only=True))
    decision = decide(KEY_PRINCIPAL, request, NOW)
    assert (decision.refused_by, code_of(decision)) == ("scope", "insufficient_permissions")
    assert decide(replace(KEY_PRINCIPAL, customer=None), request, NOW).allowed


def test_a_route_of_a_feature_asks_the_tier():
    request = replace(REQUEST, route=with_changes(CHAT, feature="webhooks"))
    without = replace(KEY_PRINCIPAL, account=replace(ACCOUNT, features=frozenset()))
    decision = decide(without, request, NOW)
    assert (decision.refused_by, code_of(decision)) == ("scope", "insufficient_permissions")
    assert "Tier startup does not include webhooks" in detail(decision, "scope")
    assert decide(KEY_PRINCIPAL, request, NOW).allowed
