"""The form of a customer: what was typed becomes what the API takes, and a customer the form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from innoai.dashboard.forms import whole_number
from innoai.errors import InnoError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from innoai.dashboard.forms import Form

EMPTY: Mapping[str, str] = {
    "customer_id": "",
    "name": "",
    "rate_limit": "",
    "monthly": "",
    "total": "",
    "metadata": "",
}
"""What stands in the form of a new customer."""


def typed_values(form: Form) -> dict[str, str]:
    """What stands in the form again after it was refused: what was typed."""
    return {name: form.raw(name) for name in EMPTY}


def values_of(customer: Mapping[str, Any]) -> dict[str, str]:
    """What stands in the form of a customer that is to be changed."""
    return {
        "customer_id": customer["customer_id"],
        "name": customer["name"] or "",
        "rate_limit": "" if customer["rate_limit"] is None else str(customer["rate_limit"]),
        "monthly": customer["budgets"]["monthly"] or "",
        "total": customer["budgets"]["total"] or "",
        "metadata": "\n".join(f"{name} = {value}" for name, value in customer["metadata"].items()),
    }


def creation(form: Form) -> dict[str, Any]:
    """What POST /v1/customers takes. InnoError invalid_request for what is no number or no pair."""
    return {"customer_id": form.text("customer_id"), **_members(form)}


def change(form: Form, customer: Mapping[str, Any]) -> dict[str, Any]:
    """What PATCH /v1/customers/{customer_id} takes: what is not as it was shown.

    Budgets need a scope of their own, so they are sent only where somebody touched them.
    """
    shown = {
        "name": customer["name"],
        "rate_limit": customer["rate_limit"],
        "budgets": dict(customer["budgets"]),
        "metadata": dict(customer["metadata"]),
    }
    return {name: value for name, value in _members(form).items() if value != shown[name]}


def _members(form: Form) -> dict[str, Any]:
    members: dict[str, Any] = {
        "name": form.text("name") or None,
        "rate_limit": whole_number(form, "rate_limit", "requests a minute"),
        "metadata": _metadata(form.raw("metadata")),
    }
    # The form has no fields for budgets where the member may not set them.
    if form.all("monthly"):
        members["budgets"] = {period: form.text(period) or None for period in ("monthly", "total")}
    return members


def _metadata(text: str) -> dict[str, str]:
    pairs = {}
    for line in filter(str.strip, text.split("\n")):
        name, separator, value = line.partition("=")
        if not separator or not name.strip():
            raise InnoError(
                "invalid_request", "Write one note on a line, such as plan = gold.", param="metadata"
            )
        pairs[name.strip()] = value.strip()
    return pairs
