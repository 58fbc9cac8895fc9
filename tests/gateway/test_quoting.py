"""A quote covers whatever the request may cost, and its reservation bounds the answer to what it covers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from innoai.access.budgets import Quote, Reservation
from innoai.access.principal import Principal
from innoai.config import PriceSettings
from innoai.errors import InnoError
from innoai.gateway.body import MultipartBody, read_json
from innoai.gateway.quoting import LEAST_ANSWER, MOST_ALLOWANCE, Quoting
from innoai.metering.bounds import UNKNOWN_ANSWER
from innoai.metering.prices import Tariff, price_of
from tests.access.facts import ACCOUNT, KEY

CHAT = "/v1/chat/completions"
PAYER = Principal(ACCOUNT, KEY, None)
PRICE = price_of(PriceSettings(Decimal("1.5"), Decimal("0.15"), Decimal(6)))
HELLO = [{"role": "user", "content": "Hello"}]
DECIMALS = st.decimals(0, 1000, allow_nan=False, allow_infinity=False, places=5)
POSITIVE = st.decimals("0.00001", 1000, allow_nan=False, allow_infinity=False, places=5)


def quoting(
    tariff: Tariff, path: str = CHAT, allowances: dict[tuple[str, str], int] | None = None, **members: Any
) -> Quoting:
    body = read_json(msgspec.json.encode({"model": "m", "messages": HELLO, **members}))
    return Quoting(tariff, body, path, {} if allowances is None else allowances)


def quote(asked: Quoting) -> Quote:
    made = asked(PAYER)
    assert made is not None
    return made


def reservation(amount: int) -> Reservation:
    return Reservation((), amount, 0.0)


def test_a_model_without_a_price_in_the_accounts_currency_has_no_quote() -> None:
    assert quoting(Tariff({}))(PAYER) is None
    assert quoting(Tariff({"EUR": PRICE}))(PAYER) is None


def test_with_a_cap_the_most_is_what_has_to_be_set_aside() -> None:
    asked = quoting(Tariff({"USD": PRICE}), max_tokens=100, n=2)
    made = quote(asked)
    assert made.least == made.most >= 200 * 6000
    assert asked.answer_cap(reservation(made.most)) is None


def test_without_a_cap_less_is_enough_to_begin() -> None:
    asked = quoting(Tariff({"USD": PRICE}))
    made = quote(asked)
    assert made.most - made.least == (UNKNOWN_ANSWER - LEAST_ANSWER) * 6000
    assert asked.answer_cap(reservation(made.most)) == UNKNOWN_ANSWER
    assert asked.answer_cap(reservation(made.least)) == LEAST_ANSWER


def test_a_model_that_bounds_its_answers_itself_needs_no_cap_but_where_less_is_affordable() -> None:
    asked = quoting(Tariff({"USD": PRICE}, max_output_tokens=1000))
    made = quote(asked)
    assert asked.answer_cap(reservation(made.most)) is None
    assert asked.answer_cap(reservation(made.least)) == LEAST_ANSWER


def test_a_cap_of_zero_goes_on_as_it_is_and_is_no_cheaper_than_none() -> None:
    """It has a prompt scored, but there are servers that take it for no cap."""
    asked = quoting(Tariff({"USD": PRICE}), "/v1/completions", max_tokens=0)
    made = quote(asked)
    assert made.least == made.most >= quote(quoting(Tariff({"USD": PRICE}))).most
    assert asked.answer_cap(reservation(made.most)) is None


def test_a_cap_above_the_models_own_needs_no_more() -> None:
    bounded = Tariff({"USD": PRICE}, max_output_tokens=1000)
    assert quote(quoting(bounded, max_tokens=99_999)) == quote(quoting(bounded, max_tokens=1000))


def test_embeddings_have_no_answer_to_pay_for() -> None:
    asked = quoting(Tariff({"USD": PRICE}), "/v1/embeddings", input="Hello")
    made = quote(asked)
    assert made.least == made.most < 200 * 1500
    assert asked.answer_cap(reservation(made.most)) is None


@pytest.mark.parametrize(
    "settings", [PriceSettings(Decimal(1), None, Decimal(0)), PriceSettings(request=Decimal("0.01"))]
)
def test_answers_whose_length_costs_nothing_are_not_cut(settings: PriceSettings) -> None:
    asked = quoting(Tariff({"USD": price_of(settings)}))
    made = quote(asked)
    assert made.least == made.most > 0
    assert asked.answer_cap(reservation(made.most)) is None


def test_a_free_model_needs_nothing_of_a_budget_be_it_overdrawn() -> None:
    assert quoting(Tariff({"USD": price_of(PriceSettings())}))(PAYER) is None


@given(
    st.builds(PriceSettings, DECIMALS, DECIMALS, POSITIVE, DECIMALS),
    st.integers(0, 30),
    st.integers(0, 1),
    st.integers(1, 5),
    st.integers(0, 10**6),
)
def test_an_answer_within_its_cap_costs_at_most_what_was_set_aside(
    settings: PriceSettings, read: int, cached: int, answers: int, spare: int
) -> None:
    price = price_of(settings)
    asked = quoting(Tariff({"USD": price}), n=answers)
    made = quote(asked)
    amount = min(made.least + spare, made.most)
    cap = asked.answer_cap(reservation(amount))
    assert cap is not None
    assert cap >= LEAST_ANSWER
    assert price.cost(read, cached * read, cap * answers) <= amount


@pytest.mark.parametrize("members", [{"max_tokens": 40}, {"max_tokens": 40, "n": 3}])
def test_a_capped_answer_costs_at_most_the_quote(members: dict[str, Any]) -> None:
    made = quote(quoting(Tariff({"USD": PRICE}), **members))
    assert PRICE.cost(20, 0, 40 * members.get("n", 1)) <= made.most


def test_completions_of_several_prompts_cost_an_answer_each() -> None:
    body = read_json(msgspec.json.encode({"model": "m", "prompt": ["a", "b", "c"], "max_tokens": 40, "n": 2}))
    made = quote(Quoting(Tariff({"USD": PRICE}), body, "/v1/completions", {}))
    assert PRICE.cost(3, 0, 3 * 2 * 40) <= made.most


def test_a_form_says_how_many_answers_it_asks_for() -> None:
    def of(*counts: bytes) -> int:
        form = MultipartBody(b"", "m", 0, 0, counts)
        return quote(Quoting(Tariff({"USD": PRICE}), form, "/v1/images/edits", {})).most

    assert of(b"10") - of() == 9 * UNKNOWN_ANSWER * 6000
    assert of(b"0") == of()
    for odd in (b"", b"-1", b"1e1", b" 10", b"9" * 5000):
        with pytest.raises(InnoError, match="n must be a whole number"):
            of(odd)


@pytest.mark.parametrize("path", ["/v1/images/generations", "/v1/images/edits", "/v1/images/variations"])
def test_every_picture_is_a_request_to_pay_for(path: str) -> None:
    each = Tariff({"USD": price_of(PriceSettings(request=Decimal("0.01")))})
    for asked in (
        quoting(each, path, n=10),
        Quoting(each, MultipartBody(b"", "m", 0, 0, (b"10",)), path, {}),
    ):
        assert asked.requests == 10
        made = quote(asked)
        assert made.least == made.most == 100_000_000
    # A budget or none, nobody pays for one who asks for more in another way.
    with pytest.raises(InnoError, match="n must be a whole number"):
        quoting(each, path, n="10")
    assert quoting(each, n=10).requests == 1


def test_what_cannot_be_bounded_is_refused_where_a_budget_asks() -> None:
    with pytest.raises(InnoError, match="max_tokens must be a whole number"):
        quote(quoting(Tariff({"USD": PRICE}), max_tokens="5"))


def test_what_a_model_reads_beyond_the_bound_is_allowed_for_from_then_on() -> None:
    allowances: dict[tuple[str, str], int] = {}
    tariff = Tariff({"USD": PRICE})
    two_at_once = [quoting(tariff, allowances=allowances, max_tokens=10) for _ in range(2)]
    before = {quote(asked).most for asked in two_at_once}
    for asked in two_at_once:
        asked.learn(500)
    made = quote(quoting(tariff, allowances=allowances, max_tokens=10))
    assert made.most == PRICE.cost(500, 0, 10)
    assert before.pop() < made.most
    quoting(tariff, allowances=allowances)(PAYER)
    asked = quoting(tariff, allowances=allowances, max_tokens=10)
    assert quote(asked) == made
    asked.learn(500)
    assert quote(quoting(tariff, allowances=allowances, max_tokens=10)) == made


def test_a_server_that_counts_wildly_does_not_make_every_budget_too_small() -> None:
    allowances: dict[tuple[str, str], int] = {}
    asked = quoting(Tariff({"USD": PRICE}), allowances=allowances, max_tokens=10)
    quote(asked)
    asked.learn(2**31 - 1)
    assert allowances == {(ACCOUNT.id, "m"): MOST_ALLOWANCE}


def test_what_one_account_has_sent_leaves_anothers_budgets_as_they_are() -> None:
    allowances: dict[tuple[str, str], int] = {}
    tariff = Tariff({"USD": PRICE})
    other = structs.replace(PAYER, account=structs.replace(ACCOUNT, id="acc_other"))
    before = quoting(tariff, allowances=allowances, max_tokens=10)(other)
    asked = quoting(tariff, allowances=allowances, max_tokens=10)
    quote(asked)
    asked.learn(30_000)
    assert quoting(tariff, allowances=allowances, max_tokens=10)(other) == before
