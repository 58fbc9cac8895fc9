"""What a request may cost, worked out when a budget asks, and how long an answer its reservation covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from innoai.access.budgets import Quote
from innoai.gateway.body import JsonBody
from innoai.metering import bounds

if TYPE_CHECKING:
    from innoai.access.budgets import Reservation
    from innoai.access.principal import Principal
    from innoai.gateway.body import MultipartBody
    from innoai.metering.prices import Price, Tariff

LEAST_ANSWER = 256
"""Tokens of an answer below which it is not worth beginning, where the caller has not asked for so few."""

MOST_ALLOWANCE = 8192
"""Tokens beyond a prompt's own that a quote allows for at most: a model server that counts wildly is not
to make every budget too small."""


class Quoting:
    """Knows a request's body and its model's tariff. Called with whoever pays, it says what it may cost.

    Raises:
        InnoError: invalid_request where the number of pictures is none, budget or not, since each costs.
    """

    __slots__ = (
        "_allowance",
        "_allowances",
        "_allowed",
        "_answers",
        "_body",
        "_is_bound",
        "_longest",
        "_path",
        "_price",
        "_prompt",
        "_tariff",
        "requests",
    )

    def __init__(
        self,
        tariff: Tariff,
        body: JsonBody | MultipartBody,
        path: str,
        allowances: dict[tuple[str, str], int],
    ) -> None:
        self._tariff = tariff
        self._body = body
        self._path = path
        self._allowances = allowances
        self.requests = _answers(body) if bounds.costs_by_the_answer(path) else 1
        """How often the request costs the price of one."""
        # Worked out when a quote is asked for, which most requests are not.
        self._price: Price
        self._allowed: tuple[str, str]
        self._prompt: int
        self._allowance: int
        self._answers: int
        self._longest: int
        self._is_bound: bool

    def __call__(self, principal: Principal) -> Quote | None:
        """The quote in the account's currency; None for a model without a price, or one that is free."""
        price = self._tariff.prices.get(principal.account.currency)
        if price is None or price.is_free:
            return None
        self._price = price
        self._allowed = principal.account.id, self._body.model
        self._read()
        # Where an answer's length costs nothing, it is nobody's business here.
        self._is_bound = self._is_bound or price.completion == 0
        most = self._cost(price, self._longest)
        if self._is_bound:
            return Quote(most, most)
        return Quote(self._cost(price, min(LEAST_ANSWER, self._longest)), most)

    def answer_cap(self, reservation: Reservation) -> int | None:
        """The most tokens that the answer may have within the quote; None where it is bound anyway."""
        if self._is_bound:
            return None
        affordable = self._affordable(self._price, reservation.amount)
        bound = self._tariff.max_output_tokens
        if bound is not None and affordable >= bound:
            return None
        return min(affordable, self._longest)

    def learn(self, prompt_tokens: int) -> None:
        """The model read so many. Where that is more than it should, quotes for the account allow for it."""
        if prompt_tokens > self._prompt:
            allowance = min(self._allowance + prompt_tokens - self._prompt, MOST_ALLOWANCE)
            known = self._allowances.get(self._allowed, 0)
            self._allowances[self._allowed] = max(allowance, known)

    def _affordable(self, price: Price, amount: int) -> int:
        """Tokens of each answer that the amount covers beside the prompt."""
        prompt = self._prompt * max(price.prompt, price.cached) + self.requests * price.request
        # The cost is rounded half up, so it is at most the amount for all that is below this.
        bound = (amount + 1) * price.per - price.per // 2
        return (bound - 1 - prompt) // (price.completion * self._answers)

    def _read(self) -> None:
        tariff, body = self._tariff, self._body
        self._longest = bounds.longest_answer(self._path, tariff.max_output_tokens)
        self._allowance, self._is_bound = 0, not bounds.can_be_capped(self._path)
        if not isinstance(body, JsonBody):
            self._prompt = tariff.context_window or bounds.FILE_TOKENS
            self._answers = _answers(body)
            return
        self._allowance = self._allowances.get(self._allowed, 0)
        self._prompt = bounds.prompt_tokens(body.members, tariff.context_window) + self._allowance
        self._answers = _answers(body)
        cap = bounds.stated_cap(body.members, self._path)
        if cap is not None:
            self._is_bound = True
        # Zero goes on as it is, but as much is set aside as for an answer without a cap.
        if cap:
            most = tariff.max_output_tokens
            self._longest = cap if most is None else min(cap, most)

    def _cost(self, price: Price, answer: int) -> int:
        # All of the prompt may be cached or none of it, and either may cost more.
        return max(
            price.cost(self._prompt, cached, answer * self._answers, self.requests)
            for cached in (0, self._prompt)
        )


def _answers(body: JsonBody | MultipartBody) -> int:
    if isinstance(body, JsonBody):
        return bounds.answers(body.members)
    return bounds.answers_of_form(body.counts)
