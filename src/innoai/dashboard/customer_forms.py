"""The form of a customer: what was typed becomes what the API takes, and a customer the form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from innoai.dashboard.edits import touched
from innoai.dashboard.forms import PERIODS, budgets, whole_number
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
        "metadata": "\n".join(
            f"{name} = {value}" for name, value in customer["metadata"].items() if fits_a_line(name, value)
        ),
    }


def fits_a_line(name: str, value: str) -> bool:
    """Whether a note can be written as a line of the form, and read from it as what it is."""
    try:
        return _metadata(f"{name} = {value}") == {name: value}
    except InnoError:
        return False


def creation(form: Form) -> dict[str, Any]:
    """What POST /v1/customers takes. InnoError invalid_request for what is no number or no pair."""
    members = {"customer_id": form.text("customer_id"), **_members(form)}
    # The form has no fields for budgets where the member may not set them.
    return {**members, "budgets": budgets(form, PERIODS)} if form.all("monthly") else members


def change(form: Form, shown: Mapping[str, str], customer: Mapping[str, Any]) -> dict[str, Any]:
    """What PATCH /v1/customers/{customer_id} takes: what is not as it was shown."""
    changed = touched({name: form.raw(name, shown[name]) for name in EMPTY}, shown)
    body = {name: value for name, value in _members(form).items() if name in changed}
    if "metadata" in body:
        # Notes that no line can hold were not shown, and stay.
        were_shown = _metadata(shown["metadata"])
        kept = {name: value for name, value in customer["metadata"].items() if name not in were_shown}
        body["metadata"] = {**kept, **body["metadata"]}
    periods = [period for period in PERIODS if period in changed]
    return {**body, "budgets": budgets(form, periods)} if periods else body


def _members(form: Form) -> dict[str, Any]:
    return {
        "name": form.text("name") or None,
        "rate_limit": whole_number(form, "rate_limit", "requests a minute"),
        "metadata": _metadata(form.raw("metadata")),
    }


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
