"""What models cost: prices as fractions of whole numbers, so that no amount is ever a float.

A model has the price of its settings, else that of the well-known model of its name, which
`known_prices.toml` has with its date.
"""

from __future__ import annotations

import tomllib
from decimal import Decimal
from fractions import Fraction
from functools import cache
from importlib.resources import files
from math import floor, lcm
from typing import TYPE_CHECKING

from msgspec import Struct, convert

from innoai.config import PriceSettings
from innoai.money import MAX_AMOUNT, NANO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from innoai.config import BillingSettings, Model

KNOWN_PRICES = "known_prices.toml"
KNOWN_CURRENCY = "USD"
"""What the table of well-known models counts in."""

MILLION = 1_000_000


class Price(Struct, frozen=True):
    """Billionths of a currency: what `per` tokens of each kind cost, and `per` requests, or pictures.

    `per` is such that each is a whole number, whatever the decimals of the price and of the rate that it
    was converted by: the only rounding is the one at the end of a request.
    """

    prompt: int
    cached: int
    completion: int
    request: int = 0
    per: int = MILLION

    @property
    def is_free(self) -> bool:
        """Whether nothing costs anything."""
        return not (self.prompt or self.cached or self.completion or self.request)

    def cost(self, prompt: int, cached: int, completion: int, requests: int = 1) -> int:
        """What a request costs in billionths, rounded once, half up; `cached` are some of the prompt's.

        `requests`: how often it costs the price of one, as each picture does.
        """
        if cached > prompt:
            cached = prompt
        cost = (
            (prompt - cached) * self.prompt
            + cached * self.cached
            + completion * self.completion
            + requests * self.request
            + self.per // 2
        ) // self.per
        return min(MAX_AMOUNT, cost)


class Tariff(Struct, frozen=True):
    """What a model costs in each currency that an account may have, and the most tokens of a request.

    No prices where nobody knows what it costs; None where nobody knows how much it may read or write.
    """

    prices: dict[str, Price]
    max_output_tokens: int | None = None
    context_window: int | None = None


class KnownModel(Struct, frozen=True, forbid_unknown_fields=True):
    """A row of known_prices.toml: US dollars for a million tokens."""

    prompt: Decimal
    completion: Decimal = Decimal(0)
    cached: Decimal | None = None
    max_output_tokens: int | None = None
    context_window: int | None = None


class KnownPrices(Struct, frozen=True, forbid_unknown_fields=True):
    """known_prices.toml: where the prices were taken from, and on which date (YYYY-MM-DD) they held."""

    as_of: str
    sources: tuple[str, ...]
    models: dict[str, KnownModel]


@cache
def known_prices() -> KnownPrices:
    """The table of well-known models that comes with innoai."""
    text = (files(__package__) / KNOWN_PRICES).read_text("utf-8")
    return convert(tomllib.loads(text, parse_float=Decimal), KnownPrices)


def open_tariffs(models: Mapping[str, Model], billing: BillingSettings) -> dict[str, Tariff]:
    """The tariff of each model that is served, by public name."""
    return {name: _tariff(name, model, billing) for name, model in models.items()}


def currencies(billing: BillingSettings) -> tuple[str, ...]:
    """What an account may be billed in; the installation's own currency first."""
    return (billing.currency, *(name for name in billing.rates if name != billing.currency))


def _tariff(name: str, model: Model, billing: BillingSettings) -> Tariff:
    table = known_prices().models
    known = table.get(model.upstreams[0].model or name) or table.get(name)
    prices: dict[str, Price] = {}
    if model.price is not None:
        prices = dict(_converted(model.price, Fraction(1), billing))
    elif known is not None:
        rate = _own(billing, KNOWN_CURRENCY)
        if rate is not None:
            settings = PriceSettings(known.prompt, known.cached, known.completion)
            prices = dict(_converted(settings, 1 / rate, billing))
    return Tariff(
        prices,
        model.max_output_tokens or (None if known is None else known.max_output_tokens),
        model.context_window or (None if known is None else known.context_window),
    )


def _converted(
    price: PriceSettings, to_own: Fraction, billing: BillingSettings
) -> Iterator[tuple[str, Price]]:
    """The price in each currency; `to_own` is what one of its own is in the installation's."""
    for currency in currencies(billing):
        rate = _own(billing, currency)
        if rate is not None:
            yield currency, price_of(price, to_own * rate)


def convert_cost(cost: int, currency: str, into: str, billing: BillingSettings) -> int:
    """A cost in another currency, rounded half up, but never to nothing; as it is where there is no rate."""
    of, to = _own(billing, currency), _own(billing, into)
    if of is None or to is None:
        return cost
    return min(MAX_AMOUNT, max(1, floor(cost * to / of + Fraction(1, 2))))


def _own(billing: BillingSettings, currency: str) -> Fraction | None:
    """What one of the installation's currency is in another one; None where the settings do not say."""
    if currency == billing.currency:
        return Fraction(1)
    rate = billing.rates.get(currency)
    return None if rate is None else Fraction(rate)


def price_of(price: PriceSettings, rate: Fraction = Fraction(1)) -> Price:
    """The price in another currency, of which `rate` is one of the price's; exactly."""
    of_cached = price.prompt if price.cached is None else price.cached
    tokens = [Fraction(each) * rate * NANO / MILLION for each in (price.prompt, of_cached, price.completion)]
    amounts = [*tokens, Fraction(price.request) * rate * NANO]
    per = lcm(*(amount.denominator for amount in amounts))
    prompt, cached, completion, request = (int(amount * per) for amount in amounts)
    return Price(prompt, cached, completion, request, per)
