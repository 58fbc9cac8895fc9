"""The form of an API key: what was typed becomes what the API takes, and a key what stands in the form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from innoai.access.scopes import LEVELS, SCOPES, in_order
from innoai.dashboard.edits import touched
from innoai.dashboard.forms import PERIODS, budgets, whole_number
from innoai.errors import InnoError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from innoai.dashboard.forms import Form

HOUR = 3600
FOREVER = "never"
ON_A_DAY = "date"
LIFETIMES = {
    FOREVER: "Does not expire",
    "7": "In 7 days",
    "30": "In 30 days",
    "90": "In 90 days",
    "365": "In a year",
    ON_A_DAY: "On a day of your choice",
}
"""What can be chosen for the end of a key, in days."""

OVERLAPS = {
    "0": "At once",
    "3600": "In an hour",
    "86400": "In a day",
    "604800": "In a week",
    "2592000": "In 30 days",
}
"""How long a rotated key may live on, in seconds."""

LEVEL_TEXTS = {
    "read": ("Read", "Look at everything, change nothing"),
    "write": ("Write", "Also create and change"),
    "delete": ("Delete", "Also delete"),
    "admin": ("Admin", "Everything, keys and members too"),
}

_CONTRADICTION = (
    "The level {} is chosen, and other scopes than its own are ticked. Choose Scopes if the ticks are to "
    "count; if the level is, tick none."
)

GROUPS = ("inference", "customers", "billing", "webhooks", "admin")


def matrix() -> list[dict[str, Any]]:
    """The scopes as a table for people: a row a resource, a column for each thing that can be done."""
    rows = []
    for group in GROUPS:
        scopes = {name.partition(":")[2]: name for name in SCOPES if name.startswith(f"{group}:")}
        rows.append({"name": group, "scopes": {verb: (name, SCOPES[name]) for verb, name in scopes.items()}})
    return rows


VERBS = ("read", "write", "delete", "full")


def levels() -> list[dict[str, Any]]:
    """The levels with the scopes that they stand for."""
    return [
        {
            "name": name,
            "title": LEVEL_TEXTS[name][0],
            "text": LEVEL_TEXTS[name][1],
            "scopes": in_order(scopes),
        }
        for name, scopes in LEVELS.items()
    ]


def empty_values(scopes: tuple[str, ...] = ("inference:read", "inference:write")) -> dict[str, Any]:
    """What stands in the form of a new key."""
    return {
        "name": "",
        "level": "",
        "scopes": list(scopes),
        "allowed_ips": "",
        "rate_limit": "",
        "expires": FOREVER,
        "expires_on": "",
        "models": [],
        "customer_id": "",
        "monthly": "",
        "total": "",
    }


def typed_values(form: Form) -> dict[str, Any]:
    """What stands in the form again after it was refused: what was typed."""
    return {
        "name": form.raw("name"),
        "level": form.text("level"),
        "scopes": form.all("scopes"),
        "allowed_ips": form.raw("allowed_ips"),
        "rate_limit": form.raw("rate_limit"),
        "expires": form.text("expires", FOREVER),
        "expires_on": form.text("expires_on"),
        "models": form.all("models"),
        "customer_id": form.raw("customer_id"),
        "monthly": form.raw("monthly"),
        "total": form.raw("total"),
    }


def values_of(key: Mapping[str, Any], tier_default: int) -> dict[str, Any]:
    """What stands in the form of a key that is to be changed."""
    expires = key["expires_at"]
    return {
        "name": key["name"],
        "level": key["level"] or "",
        "scopes": list(key["scopes"]),
        "allowed_ips": "\n".join(key["allowed_ips"]),
        "rate_limit": "" if key["rate_limit"] == tier_default else str(key["rate_limit"]),
        "expires": FOREVER if expires is None else ON_A_DAY,
        "expires_on": "" if expires is None else expires[:10],
        "models": list(key["models"] or ()),
        "customer_id": key["customer_id"] or "",
        "monthly": key["budgets"]["monthly"] or "",
        "total": key["budgets"]["total"] or "",
    }


def creation(form: Form, shown: Mapping[str, Any], now: float) -> dict[str, Any]:
    """What POST /v1/keys takes. `shown`: what the form began with.

    Raises:
        InnoError: invalid_request for what is no number, no day, no scope at all, or two things at once.
    """
    return {
        **_members(form, shown, now),
        "scopes": _scopes(form, shown),
        "customer_id": form.text("customer_id") or None,
        "budgets": budgets(form, PERIODS),
    }


def change(form: Form, shown: Mapping[str, Any], now: float) -> dict[str, Any]:
    """What PATCH /v1/keys/{key_id} takes: what is not as it was shown."""
    changed = touched(typed_values(form), shown)
    body = {
        member: value
        for member, value in _members(form, shown, now).items()
        if not changed.isdisjoint(_FIELDS_OF.get(member, (member,)))
    }
    if not changed.isdisjoint(("level", "scopes")):
        body["scopes"] = _scopes(form, shown)
    periods = [period for period in PERIODS if period in changed]
    return {**body, "budgets": budgets(form, periods)} if periods else body


_FIELDS_OF = {"expires_at": ("expires", "expires_on")}
"""The fields of a member of the API that are not called as it is."""


def _members(form: Form, shown: Mapping[str, Any], now: float) -> dict[str, Any]:
    return {
        "name": form.text("name"),
        "allowed_ips": form.lines("allowed_ips"),
        "rate_limit": whole_number(form, "rate_limit", "requests a minute"),
        "expires_at": _expires_at(form, shown, now),
        "models": form.all("models") or None,
    }


def _scopes(form: Form, shown: Mapping[str, Any]) -> list[str]:
    """What was chosen: a level, or ticks.

    Without scripts a level does not tick its scopes, so of the two that one counts which was touched. Where
    both were, and say different things, only whoever sent them knows what is meant.
    """
    level, ticked = form.text("level"), form.all("scopes")
    if level and level not in LEVELS:
        raise InnoError("invalid_request", "Choose a level, or scopes.", param="level")
    changed = touched({"level": level, "scopes": ticked}, shown)
    by_hand = "scopes" in changed and set(ticked) != LEVELS.get(level, frozenset())
    if level and not by_hand:
        return list(in_order(LEVELS[level]))
    if level and "level" in changed:
        if not ticked:
            return list(in_order(LEVELS[level]))
        raise InnoError("invalid_request", _CONTRADICTION.format(LEVEL_TEXTS[level][0]), param="scopes")
    if not ticked:
        raise InnoError("invalid_request", "Choose at least one scope, or a level.", param="scopes")
    return ticked


def _expires_at(form: Form, shown: Mapping[str, Any], now: float) -> str | None:
    """The instant: so many days from now, or the end of a day in UTC."""
    chosen, day_typed = form.text("expires", FOREVER), form.text("expires_on")
    if chosen == shown["expires"] and day_typed not in ("", shown["expires_on"]):
        # Without scripts a day can be typed while something else stays chosen.
        chosen = ON_A_DAY
    if chosen == FOREVER:
        return None
    if chosen == ON_A_DAY:
        try:
            day = datetime.fromisoformat(day_typed).date()
        except ValueError:
            raise InnoError(
                "invalid_request", "Write a day, such as 2027-01-31.", param="expires_at"
            ) from None
        return f"{day.isoformat()}T23:59:59Z"
    if chosen not in LIFETIMES:
        raise InnoError("invalid_request", "Choose when the key ends.", param="expires_at")
    # The end of the hour, so that a form which is sent twice says the same.
    ends = datetime.fromtimestamp((now // HOUR + 1) * HOUR, UTC) + timedelta(days=int(chosen))
    return ends.isoformat(timespec="seconds").replace("+00:00", "Z")
