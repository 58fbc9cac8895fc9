"""Amounts of money: decimal text on the wire, Decimal here, never a float."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Self

from openai import BaseModel
from pydantic import PlainSerializer, ValidationError
from typing_extensions import override


def _plain(amount: object) -> str:
    """The amount as the wire has it: `0.000000001`, where str() would say 1E-9."""
    return format(amount, "f") if isinstance(amount, Decimal) else str(amount)


Amount = Annotated[Decimal, PlainSerializer(_plain, return_type=str, when_used="json")]
"""An amount in the account's currency."""


class WithAmounts(BaseModel):
    """A model that holds amounts."""

    @override
    @classmethod
    def construct(cls, _fields_set: set[str] | None = None, **values: object) -> Self:
        """openai's way to make a model takes a member as it comes; an amount would stay text."""
        try:
            return cls.model_validate(values)
        except ValidationError:
            return super().construct(_fields_set, **values)


class Budgets(WithAmounts):
    """What may be spent in a calendar month (UTC), and altogether; None is no bound."""

    monthly: Amount | None
    total: Amount | None
