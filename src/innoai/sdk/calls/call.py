"""A request of the control plane as a value, and the parts that such requests are made of."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, Literal, TypedDict, TypeVar
from urllib.parse import quote

from openai import Omit, Timeout, omit
from openai._models import FinalRequestOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AnswerT = TypeVar("AnswerT")

Moment = datetime | date | str
"""An aware datetime, a date (its midnight in UTC), or RFC 3339 text."""
Amount = Decimal | int | str
"""An amount of money, exact: a Decimal, a whole number, or decimal text. Never a float."""


class BudgetChanges(TypedDict, total=False):
    """What may be spent in a calendar month (UTC), and altogether. None takes a budget away."""

    monthly: Amount | None
    total: Amount | None


@dataclass(frozen=True, slots=True)
class Call(Generic[AnswerT]):
    """One request of the control plane and the type of its answer.

    credential: "client" is what the client sends on every request (its key or current token), "key" is
    always the API key, "none" is no Authorization at all. carries_secret: the body does, so a redirect is not
    followed. silence: seconds without a byte that count as a lost connection, else the client's timeout.
    """

    method: Literal["get", "post", "patch", "delete"]
    path: str
    answer: type[AnswerT]
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    credential: Literal["client", "key", "none"] = "client"
    carries_secret: bool = False
    silence: float | None = None

    def options(self, api_key: str) -> FinalRequestOptions:
        """openai's form of the request."""
        options = FinalRequestOptions.construct(
            method=self.method, url=self.path, params=self.query, headers=self.headers
        )
        options.json_data = self.body
        if self.credential != "client":
            authorization: str | Omit = f"Bearer {api_key}" if self.credential == "key" else omit
            options.headers = {**self.headers, "Authorization": authorization}
            # Without this openai would first ask for a token that this request does not use.
            options.security = {}
        if self.carries_secret:
            options.follow_redirects = False
        if self.silence is not None:
            options.timeout = Timeout(self.silence)
        return options


@dataclass(frozen=True, slots=True)
class Listing(Generic[AnswerT]):
    """A request whose answer is a page of items."""

    path: str
    item: type[AnswerT]
    query: Mapping[str, Any] = field(default_factory=dict)


def known(**members: Any) -> dict[str, Any]:
    """The members that are not None."""
    return {name: value for name, value in members.items() if value is not None}


def given(**members: Any) -> dict[str, Any]:
    """The members that the caller gave, None among them."""
    return {name: value for name, value in members.items() if not isinstance(value, Omit)}


def strings(name: str, value: Sequence[str] | Omit | None) -> list[str] | Omit | None:
    """A list of strings. Raises TypeError on one string, which would be a list of its letters."""
    if isinstance(value, str):
        raise TypeError(f"{name} is a list of strings, not one string")
    return value if value is None or isinstance(value, Omit) else list(value)


def joined(name: str, value: Sequence[str] | None) -> str | None:
    """A list of strings as a query has it. Raises TypeError as `strings` does."""
    found = strings(name, value)
    return ",".join(found) if isinstance(found, list) else None


def texts(value: Mapping[str, str] | Omit | None) -> dict[str, str] | Omit | None:
    """Texts by name."""
    return value if value is None or isinstance(value, Omit) else dict(value)


def moment(name: str, value: Moment | Omit | None) -> str | Omit | None:
    """RFC 3339 in UTC. Raises ValueError on a datetime without a zone, which would be a guess."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{name} has no time zone: pass datetime.now(UTC) + …, or an RFC 3339 string")
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return f"{value.isoformat()}T00:00:00Z" if isinstance(value, date) else value


def amounts(value: BudgetChanges | Omit | None) -> dict[str, str | None] | Omit | None:
    """Budgets as they are sent. Raises TypeError on a float, ValueError on what is no finite number."""
    if value is None or isinstance(value, Omit):
        return value
    return {name: None if amount is None else _amount(amount) for name, amount in value.items()}


def idempotent(key: str | None) -> dict[str, str]:
    """The header by which a repeated request is known; without a key of the caller's, a new one."""
    return {"Idempotency-Key": key if key is not None else str(uuid.uuid4())}


def segment(name: str, value: str) -> str:
    """One path segment. Raises ValueError where a URL library would read another path."""
    if value in ("", ".", ".."):
        raise ValueError(f"{name} must not be {value!r}")
    return quote(value, safe="")


def _amount(value: object) -> str:
    match value:
        case str():
            return value
        case Decimal() if value.is_finite():
            return format(value, "f")
        case Decimal():
            raise ValueError(f"an amount is a finite number, not {value}")
        case int() if not isinstance(value, bool):
            return str(value)
        case _:
            raise TypeError("an amount is a Decimal, a whole number or a string: a float is not exact")
