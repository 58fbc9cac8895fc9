from __future__ import annotations

import pytest
from msgspec.structs import replace

from innoai.access.budgets import Budget, Pot, Reservation, Shortfall, month_of, pot_of
from innoai.access.decide import Check, Request, decide
from innoai.access.limits import take
from innoai.access.principal import Principal
from innoai.access.routes import route_for
from innoai.errors import refusal
from tests.access.facts import ACCOUNT, CUSTOMER, KEY, KEY_PRINCIPAL, NOW

REQUEST = Request(route_for("POST", "/v1/chat/completions"), None, "a-model")
MONTHLY = Budget("key_1", "monthly", 5)
TOTAL = Budget("acc_1", "total", 9)
RESERVATION = Reservation((Pot("key_1", "2026-11"),), 3, NOW)


@pytest.mark.parametrize(
    ("at", "month"), [(0, "1970-01"), (1_793_491_199.999, "2026-10"), (1_793_491_200, "2026-11")]
)
def test_a_month_is_the_calendars_in_utc(at, month):
    assert month_of(at) == month


def test_a_monthly_budget_has_a_pot_a_month_and_a_total_one_has_one():
    assert pot_of(MONTHLY, NOW) == Pot("key_1", month_of(NOW))
    assert pot_of(TOTAL, NOW) == Pot("acc_1", "total")


def test_every_budget_of_account_customer_and_key_applies():
    account = replace(ACCOUNT, budgets=(TOTAL,))
    customer = replace(CUSTOMER, budgets=(Budget("cus_1", "total", 1),))
    key = replace(KEY, budgets=(MONTHLY,))
    assert Principal(account, key, customer).budgets == (TOTAL, Budget("cus_1", "total", 1), MONTHLY)
    assert Principal(account, key, None).budgets == (TOTAL, MONTHLY)


@pytest.mark.parametrize(
    ("budget", "says"),
    [
        (
            MONTHLY,
            "The monthly budget of this key does not cover the request. Raise it, or wait for the first",
        ),
        (
            TOTAL,
            "The total budget of this account does not cover the request. Raise it; a smaller max_tokens",
        ),
        (Budget("cus_1", "total", 1), "The total budget of this customer does not cover"),
    ],
)
def test_a_shortfall_names_the_budget_and_the_remedy_but_no_amount(budget, says):
    refused = Shortfall(budget).refusal()
    assert refused.message.startswith(says)
    assert not any(digit in refused.message for digit in "0123456789")
    assert (refused.code, refused.kind.type, refused.kind.status) == (
        "insufficient_quota",
        "insufficient_quota",
        402,
    )


def test_a_decision_that_no_budget_covers_is_refused_before_the_rate_is_asked():
    decision = decide(KEY_PRINCIPAL, REQUEST, NOW).budgeted(Shortfall(MONTHLY))
    assert not decision.allowed
    assert decision.refused_by == "budget"
    assert decision.checks[-2:] == (
        Check("budget", "refused", Shortfall(MONTHLY).refusal().message),
        Check("rate", "not_reached", ""),
    )


def test_what_was_set_aside_stays_with_an_admitted_request_alone():
    budgeted = decide(KEY_PRINCIPAL, REQUEST, NOW).budgeted(RESERVATION, "2 of 5 are left")
    rate = take(0, 0, 1)
    assert budgeted.rated(rate).reservation is RESERVATION
    assert budgeted.rated(rate).checks[-2] == Check("budget", "passed", "2 of 5 are left")
    refused = budgeted.rated(take(rate.tat, 0, 1))
    assert refused.reservation is None
    assert (refused.refused_by, refused.refusal) == ("rate", refusal("rate_limit_exceeded", retry_after=60))


def test_without_a_budget_the_check_says_so():
    decision = decide(KEY_PRINCIPAL, REQUEST, NOW).budgeted(None).rated(take(0, 0, 1))
    assert decision.checks[-2] == Check("budget", "passed", "no budget applies")


def test_a_customer_is_bounded_by_a_limit_or_a_budget_of_its_own():
    assert not CUSTOMER.is_bounded
    assert replace(CUSTOMER, rate_limit=5).is_bounded
    assert replace(CUSTOMER, budgets=(TOTAL,)).is_bounded
