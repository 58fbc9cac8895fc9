from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innoai.access.grants import FOR_CUSTOMERS, token_lifetime, token_scopes
from innoai.access.scopes import ADMIN_FULL, DEFAULT_SCOPES, SCOPES, grants, scope_set
from innoai.access.tiers import DEFAULT_TIERS
from innoai.errors import InnoError, Refusal

SCOPE = st.sampled_from(list(SCOPES))
SCOPE_SETS = st.frozensets(SCOPE, min_size=1)
STARTUP = DEFAULT_TIERS["startup"]
FREE = DEFAULT_TIERS["free"]


def refusal_of(ask, *arguments, **options) -> Refusal:
    with pytest.raises(InnoError) as caught:
        ask(*arguments, **options)
    return caught.value.refusal


@given(SCOPE_SETS, SCOPE_SETS, st.booleans())
def test_a_token_gets_exactly_the_scopes_asked_for_or_none(key_scopes, wanted, for_customer):
    allowed = all(grants(key_scopes, scope) for scope in wanted) and not (
        for_customer and ADMIN_FULL in wanted
    )
    if allowed:
        assert token_scopes(key_scopes, wanted, for_customer=for_customer) == wanted
    else:
        refused = refusal_of(token_scopes, key_scopes, wanted, for_customer=for_customer)
        assert refused.code == "insufficient_permissions"
        assert refused.details["required_scope"] in wanted


@given(SCOPE_SETS, st.none() | SCOPE_SETS, st.booleans())
def test_a_token_is_never_wider_than_its_key(key_scopes, wanted, for_customer):
    try:
        scopes = token_scopes(key_scopes, wanted, for_customer=for_customer)
    except InnoError:
        return
    assert all(grants(key_scopes, scope) for scope in scopes)
    assert not (for_customer and ADMIN_FULL in scopes)


@given(SCOPE_SETS.filter(lambda scopes: ADMIN_FULL not in scopes))
def test_a_token_without_a_wish_gets_its_keys_scopes(key_scopes):
    assert token_scopes(key_scopes, None, for_customer=False) == key_scopes


@given(SCOPE_SETS.filter(lambda scopes: ADMIN_FULL not in scopes))
def test_a_customers_token_without_a_wish_gets_what_concerns_the_customer_itself(key_scopes):
    if key_scopes & FOR_CUSTOMERS:
        assert token_scopes(key_scopes, None, for_customer=True) == key_scopes & FOR_CUSTOMERS
    else:
        refused = refusal_of(token_scopes, key_scopes, None, for_customer=True)
        assert refused.code == "invalid_request"
        assert refused.details == {"param": "scopes"}
        assert "Name the scopes" in refused.message


@given(st.frozensets(SCOPE))
def test_an_admin_keys_token_without_a_wish_gets_inference_and_what_the_key_names(others):
    admin = others | {ADMIN_FULL}
    unasked = (others - {ADMIN_FULL}) | set(DEFAULT_SCOPES)
    assert token_scopes(admin, None, for_customer=False) == unasked
    assert token_scopes(admin, None, for_customer=True) == unasked & FOR_CUSTOMERS


def test_an_admin_keys_token_for_a_customer_gets_inference_alone():
    assert token_scopes(scope_set([ADMIN_FULL]), None, for_customer=True) == set(DEFAULT_SCOPES)


def test_a_token_gets_admin_full_only_by_name():
    admin = scope_set([ADMIN_FULL])
    assert token_scopes(admin, [ADMIN_FULL], for_customer=False) == admin
    assert ADMIN_FULL not in token_scopes(admin, None, for_customer=False)


def test_a_customers_token_never_carries_admin_full():
    refused = refusal_of(token_scopes, scope_set([ADMIN_FULL]), [ADMIN_FULL], for_customer=True)
    assert refused.code == "insufficient_permissions"
    assert refused.details == {"required_scope": ADMIN_FULL}
    assert "never carries admin:full" in refused.message


def test_the_first_scope_that_the_key_lacks_is_named_in_the_tables_order():
    wanted = ["billing:write", "customers:read", "inference:read"]
    refused = refusal_of(token_scopes, scope_set(["inference:read"]), wanted, for_customer=False)
    assert refused.details == {"required_scope": "customers:read"}


@pytest.mark.parametrize(
    ("wanted", "says"),
    [(["inference:everything"], "unknown scope 'inference:everything'"), ([], "at least one")],
)
def test_an_unknown_scope_or_none_at_all_is_an_invalid_request(wanted, says):
    refused = refusal_of(token_scopes, scope_set([ADMIN_FULL]), wanted, for_customer=False)
    assert refused.code == "invalid_request"
    assert refused.details == {"param": "scopes"}
    assert refused.message.startswith("scopes: ")
    assert says in refused.message


@given(st.integers(60, 86_400))
def test_a_token_lives_as_long_as_asked(wanted):
    assert token_lifetime(wanted, STARTUP) == wanted


@given(st.integers().filter(lambda seconds: not 60 <= seconds <= 86_400))
def test_a_lifetime_outside_a_minute_to_a_day_is_an_invalid_request(wanted):
    refused = refusal_of(token_lifetime, wanted, STARTUP)
    assert refused.code == "invalid_request"
    assert refused.message == "expires_in: choose from 60 to 86400 seconds."
    assert refused.details == {"param": "expires_in"}


def test_a_token_lives_an_hour_without_a_wish():
    assert token_lifetime(None, STARTUP) == 3600


def test_a_tier_caps_the_wish_and_the_default():
    assert token_lifetime(3600, FREE) == 3600
    assert "from 60 to 3600 seconds" in refusal_of(token_lifetime, 3601, FREE).message
    assert token_lifetime(None, replace(FREE, max_token_lifetime=600)) == 600


def test_no_tier_lengthens_a_lifetime_beyond_a_day():
    assert (
        "to 86400 seconds"
        in refusal_of(token_lifetime, 86_401, replace(FREE, max_token_lifetime=10**6)).message
    )
