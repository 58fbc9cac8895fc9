"""The account's end customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openai import NoneType, Omit, omit

from innoai.sdk.calls.call import (
    BudgetChanges,
    Call,
    Listing,
    amounts,
    given,
    idempotent,
    known,
    segment,
    texts,
)
from innoai.sdk.models.customers import Customer

if TYPE_CHECKING:
    from collections.abc import Mapping


def create_customer(
    customer_id: str,
    *,
    name: str | None = None,
    metadata: Mapping[str, str] | None = None,
    rate_limit: int | None = None,
    budgets: BudgetChanges | None = None,
    idempotency_key: str | None = None,
) -> Call[Customer]:
    """Create a customer under the account's own id for it.

    rate_limit: requests a minute of all its credentials together. budgets, idempotency_key: as for keys.
    """
    body = known(
        customer_id=customer_id,
        name=name,
        metadata=texts(metadata),
        rate_limit=rate_limit,
        budgets=amounts(budgets),
    )
    return Call("post", "/customers", Customer, body, headers=idempotent(idempotency_key))


def list_customers(
    *, limit: int | None = None, cursor: str | None = None, search: str | None = None
) -> Listing[Customer]:
    """The account's customers. limit: a page, 1-100. search: part of the customer_id or the name."""
    return Listing("/customers", Customer, known(limit=limit, cursor=cursor, search=search))


def get_customer(customer_id: str) -> Call[Customer]:
    """The customer of that account-given id."""
    return Call("get", _customer_path(customer_id), Customer)


def update_customer(
    customer_id: str,
    *,
    name: str | Omit | None = omit,
    metadata: Mapping[str, str] | Omit = omit,
    disabled: bool | Omit = omit,
    rate_limit: int | Omit | None = omit,
    budgets: BudgetChanges | Omit = omit,
) -> Call[Customer]:
    """Change what is given and leave the rest. A disabled customer's tokens are refused.

    None takes the name, the rate limit or a budget away.
    """
    body = given(
        name=name,
        metadata=texts(metadata),
        disabled=disabled,
        rate_limit=rate_limit,
        budgets=amounts(budgets),
    )
    return Call("patch", _customer_path(customer_id), Customer, body)


def delete_customer(customer_id: str) -> Call[None]:
    """Delete the customer; its tokens die with it."""
    return Call("delete", _customer_path(customer_id), NoneType)


def _customer_path(customer_id: str) -> str:
    return f"/customers/{segment('customer_id', customer_id)}"
