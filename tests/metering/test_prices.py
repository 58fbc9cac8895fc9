from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innoai.config import BillingSettings, Model, PriceSettings, Upstream
from innoai.metering.prices import Price, currencies, known_prices, open_tariffs, price_of
from innoai.money import MAX_AMOUNT, NANO

EUROS = BillingSettings("EUR", {"USD": Decimal("1.25"), "PHP": Decimal(65)})
GPT = "gpt-4o-mini"

prices = st.decimals(0, 1_000_000, places=12, allow_nan=False, allow_infinity=False)
rates = st.decimals(Decimal("0.000001"), 1_000_000, places=9, allow_nan=False, allow_infinity=False)
tokens = st.integers(0, 2**31 - 1)


def model(name: str | None = None, **settings: object) -> Model:
    return Model((Upstream("https://models.example/v1", name),), **settings)  # type: ignore[arg-type]


def cost_of(public: str, served: Model, billing: BillingSettings, currency: str) -> int | None:
    """Of a million tokens of a prompt."""
    price = open_tariffs({public: served}, billing)[public].prices.get(currency)
    return None if price is None else price.cost(1_000_000, 0, 0)


@given(prices, st.none() | prices, prices, prices, rates, tokens, tokens, tokens)
def test_a_cost_is_what_exact_decimals_say_rounded_once_half_up(
    prompt: Decimal,
    cached: Decimal | None,
    completion: Decimal,
    request: Decimal,
    rate: Decimal,
    read: int,
    from_cache: int,
    written: int,
) -> None:
    price = price_of(PriceSettings(prompt, cached, completion, request), Fraction(rate))
    from_cache = min(from_cache, read)
    with localcontext(Context(prec=200)):
        of_cached = prompt if cached is None else cached
        by_token = (read - from_cache) * prompt + from_cache * of_cached + written * completion
        exact = (by_token / 1_000_000 + request) * rate * NANO
        rounded = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    assert price.cost(read, from_cache, written) == min(rounded, MAX_AMOUNT)


def test_cached_tokens_are_part_of_the_prompts_and_cost_as_much_unless_told_otherwise() -> None:
    plain = price_of(PriceSettings(prompt=Decimal(1)))
    cheaper = price_of(PriceSettings(prompt=Decimal(1), cached=Decimal("0.1")))
    assert (plain.cost(100, 40, 0), cheaper.cost(100, 40, 0)) == (100_000, 64_000)


def test_more_cached_tokens_than_the_prompt_has_are_not_believed() -> None:
    price = price_of(PriceSettings(prompt=Decimal(1), cached=Decimal("0.1")))
    assert price.cost(100, 900, 0) == price.cost(100, 100, 0)


def test_half_a_billionth_is_rounded_up_and_less_is_not() -> None:
    assert [Price(1, 1, 1, per=2).cost(count, 0, 0) for count in (1, 2, 3)] == [1, 1, 2]
    assert [Price(1, 1, 1, per=3).cost(count, 0, 0) for count in (1, 2, 3)] == [0, 1, 1]


def test_a_price_of_the_settings_wins_over_the_known_one() -> None:
    own = model(price=PriceSettings(prompt=Decimal(7)))
    assert cost_of(GPT, own, BillingSettings(), "USD") == 7 * NANO


@pytest.mark.parametrize(
    ("public", "upstream"), [(GPT, None), ("mine", GPT), (GPT, "mine"), ("mine", "none")]
)
def test_a_well_known_model_is_known_by_the_upstreams_name_or_else_by_its_own(
    public: str, upstream: str | None
) -> None:
    known = cost_of(public, model(upstream), BillingSettings(), "USD")
    assert known == (None if upstream == "none" else 150_000_000)


def test_known_prices_are_dollars_and_converted_by_the_rate_for_dollars() -> None:
    served = model()
    assert cost_of(GPT, served, EUROS, "USD") == 150_000_000
    assert cost_of(GPT, served, EUROS, "EUR") == 120_000_000
    assert cost_of(GPT, served, EUROS, "PHP") == 7_800_000_000


def test_known_prices_do_not_count_where_nobody_says_what_a_dollar_is() -> None:
    assert open_tariffs({GPT: model()}, BillingSettings("EUR"))[GPT].prices == {}


def test_prices_of_the_settings_are_in_the_installations_currency() -> None:
    own = model(price=PriceSettings(prompt=Decimal(2)))
    billed = {currency: cost_of("mine", own, EUROS, currency) for currency in currencies(EUROS)}
    assert billed == {"EUR": 2 * NANO, "USD": 2.5 * NANO, "PHP": 130 * NANO}
    assert cost_of("mine", own, EUROS, "GBP") is None


def test_the_installations_own_currency_comes_first_and_once() -> None:
    assert currencies(BillingSettings("EUR", {"USD": Decimal(1), "EUR": Decimal(1)})) == ("EUR", "USD")


def test_what_a_model_may_read_and_write_is_known_unless_the_settings_say_it() -> None:
    tariffs = open_tariffs({GPT: model(), "mine": model(GPT, max_output_tokens=10)}, BillingSettings("EUR"))
    assert (tariffs[GPT].max_output_tokens, tariffs[GPT].context_window) == (16_384, 128_000)
    assert (tariffs["mine"].max_output_tokens, tariffs["mine"].context_window) == (10, 128_000)


def test_the_table_has_its_date_its_sources_and_no_price_above_its_makers_dearest() -> None:
    table = known_prices()
    assert date.fromisoformat(table.as_of) <= date(2026, 11, 25)
    assert all(source.startswith("https://") for source in table.sources)
    for known in table.models.values():
        assert 0 < known.prompt <= 150
        assert 0 <= known.completion <= 600
        assert known.cached is None or 0 < known.cached < known.prompt


def test_a_picture_costs_what_a_request_does() -> None:
    price = Price(1, 1, 1, request=7, per=1)
    assert price.cost(2, 0, 3, 10) == 2 + 3 + 10 * 7
