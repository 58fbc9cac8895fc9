"""The account's API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from openai import NoneType, Omit, omit

from innoai.sdk.calls.call import (
    BudgetChanges,
    Call,
    Listing,
    Moment,
    amounts,
    given,
    idempotent,
    known,
    moment,
    segment,
    strings,
)
from innoai.sdk.models.activity import KeyActivity, KeyAdvice, KeyPreview
from innoai.sdk.models.keys import ApiKey, LeakReport

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

KeyStatus = Literal["active", "expired", "revoked"]
LevelName = Literal["read", "write", "delete", "admin"]

_SECRET_KEY_PREFIX = "sk-"


def create_key(
    name: str,
    *,
    scopes: Sequence[str] | None = None,
    level: LevelName | None = None,
    allowed_ips: Sequence[str] | None = None,
    rate_limit: int | None = None,
    expires_at: datetime | str | None = None,
    models: Sequence[str] | None = None,
    customer_id: str | None = None,
    budgets: BudgetChanges | None = None,
    idempotency_key: str | None = None,
) -> Call[ApiKey]:
    """Create a key. The answer's `key` is the secret, shown this once.

    scopes or level, not both. allowed_ips: CIDRs. rate_limit: requests a minute. expires_at: an aware
    datetime or an RFC 3339 string. budgets: what it may spend, like `{"monthly": "20"}`, in the account's
    currency. idempotency_key: the same one gives the same answer; by default each call
    makes its own, so that openai's retries cannot create a second key.
    """
    body = known(
        name=name,
        scopes=strings("scopes", scopes),
        level=level,
        allowed_ips=strings("allowed_ips", allowed_ips),
        rate_limit=rate_limit,
        expires_at=moment("expires_at", expires_at),
        models=strings("models", models),
        customer_id=customer_id,
        budgets=amounts(budgets),
    )
    return Call("post", "/keys", ApiKey, body, headers=idempotent(idempotency_key))


def list_keys(
    *,
    limit: int | None = None,
    cursor: str | None = None,
    status: KeyStatus | None = None,
    customer_id: str | None = None,
    search: str | None = None,
) -> Listing[ApiKey]:
    """The account's keys. limit: keys a page, 1-100. Iterating the page walks the following ones too.

    search: part of the name, or the last four characters, the id or the customer_id.
    """
    query = known(limit=limit, cursor=cursor, status=status, customer_id=customer_id, search=search)
    return Listing("/keys", ApiKey, query)


def get_key(key_id: str) -> Call[ApiKey]:
    """The key of that id, `key_…`."""
    return Call("get", _key_path(key_id), ApiKey)


def update_key(
    key_id: str,
    *,
    name: str | Omit = omit,
    scopes: Sequence[str] | Omit = omit,
    allowed_ips: Sequence[str] | Omit = omit,
    rate_limit: int | Omit | None = omit,
    expires_at: datetime | str | Omit | None = omit,
    models: Sequence[str] | Omit | None = omit,
    budgets: BudgetChanges | Omit = omit,
) -> Call[ApiKey]:
    """Change what is given and leave the rest. None takes a bound away (expires_at, models) or resets it."""
    body = given(
        name=name,
        scopes=strings("scopes", scopes),
        allowed_ips=strings("allowed_ips", allowed_ips),
        rate_limit=rate_limit,
        expires_at=moment("expires_at", expires_at),
        models=strings("models", models),
        budgets=amounts(budgets),
    )
    return Call("patch", _key_path(key_id), ApiKey, body)


def rotate_key(
    key_id: str,
    *,
    overlap: int | None = None,
    name: str | None = None,
    idempotency_key: str | None = None,
) -> Call[ApiKey]:
    """A successor to the key, its secret in `key`; the old one expires after the overlap.

    overlap: seconds, 0-2,592,000, a day by default. idempotency_key: as in create.
    """
    body = known(overlap=overlap, name=name)
    return Call("post", f"{_key_path(key_id)}/rotate", ApiKey, body, headers=idempotent(idempotency_key))


def revoke_key(key_id: str) -> Call[None]:
    """Revoke the key of that id, and every token minted from it."""
    return Call("delete", _key_path(key_id), NoneType)


def report_leak(text: str, *, source: str | None = None, revoke: bool = False) -> Call[LeakReport]:
    """The account's keys in a text, which are put on record as leaked; `revoke` revokes them at once.

    source: where the text was found, for the audit log.
    """
    return Call("post", "/keys/leaks", LeakReport, known(text=text, source=source, revoke=revoke))


def key_activity(key_id: str, *, from_: Moment | None = None, to: Moment | None = None) -> Call[KeyActivity]:
    """What the key did and was refused, by whole hours. from_, to: by default the last seven days."""
    query = known(**{"from": moment("from_", from_)}, to=moment("to", to))
    return Call("get", f"{_key_path(key_id)}/activity", KeyActivity, query=query)


def key_advice(key_id: str, *, days: int | None = None) -> Call[KeyAdvice]:
    """What could be taken away from the key without refusing anything that it did.

    days: up to now, 1-400, 30 by default.
    """
    return Call("get", f"{_key_path(key_id)}/advice", KeyAdvice, query=known(days=days))


def preview_key(
    key_id: str,
    *,
    scopes: Sequence[str] | Omit = omit,
    level: LevelName | Omit = omit,
    allowed_ips: Sequence[str] | Omit | None = omit,
    rate_limit: int | Omit | None = omit,
    expires_at: datetime | str | Omit | None = omit,
    models: Sequence[str] | Omit | None = omit,
    days: int | Omit = omit,
) -> Call[KeyPreview]:
    """What a change to the key would have refused of what it did in so many days. Nothing is changed."""
    body = given(
        scopes=strings("scopes", scopes),
        level=level,
        allowed_ips=strings("allowed_ips", allowed_ips),
        rate_limit=rate_limit,
        expires_at=moment("expires_at", expires_at),
        models=strings("models", models),
        days=days,
    )
    return Call("post", f"{_key_path(key_id)}/preview", KeyPreview, body)


def _key_path(key_id: str) -> str:
    """Raises ValueError on a secret, which does not belong into a URL: URLs are logged."""
    if key_id.startswith(_SECRET_KEY_PREFIX):
        raise ValueError("that is a key's secret, not its id (key_…); to revoke by secret use auth.revoke")
    return f"/keys/{segment('key_id', key_id)}"
