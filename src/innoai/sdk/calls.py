"""What every method of the control plane sends: its signature, its checks, and the request, as a value.

The sync and the async resources are made from these functions, so that each is written once.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar
from urllib.parse import quote

from openai import NoneType, Omit, omit
from openai._models import FinalRequestOptions

from innoai.sdk.models import AccessMatrix, ApiKey, Customer, Explanation, Introspection, Token, Validation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AnswerT = TypeVar("AnswerT")

KeyStatus = Literal["active", "expired", "revoked"]
LevelName = Literal["read", "write", "delete", "admin"]

_SECRET_KEY_PREFIX = "sk-"


@dataclass(frozen=True, slots=True)
class Call(Generic[AnswerT]):
    """One request of the control plane and the type of its answer.

    credential: "client" is what the client sends on every request (its key or current token), "key" is
    always the API key, "none" is no Authorization at all. carries_secret: the body does, so a redirect is not
    followed.
    """

    method: Literal["get", "post", "patch", "delete"]
    path: str
    answer: type[AnswerT]
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    credential: Literal["client", "key", "none"] = "client"
    carries_secret: bool = False

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
        return options


@dataclass(frozen=True, slots=True)
class Listing(Generic[AnswerT]):
    """A request whose answer is a page of items."""

    path: str
    item: type[AnswerT]
    query: Mapping[str, Any] = field(default_factory=dict)


# auth


def token(
    customer_id: str | None = None,
    scopes: Sequence[str] | None = None,
    expires_in: int | None = None,
    rotate: bool | None = None,
) -> Call[Token]:
    """Mint a token pair, never wider than the API key, which alone authorizes this.

    customer_id: the customer that the token acts for. expires_in: seconds, 60-86,400, 3600 by default.
    rotate: each refresh then gives a successor to the refresh token (RFC 9700 §4.14.2).
    """
    body = _set(
        customer_id=customer_id, scopes=_strings("scopes", scopes), expires_in=expires_in, rotate=rotate
    )
    return Call("post", "/auth/token", Token, body, credential="key", carries_secret=True)


def refresh(refresh_token: str) -> Call[Token]:
    """A new access token for a refresh token, whose possession is the proof: nothing else is sent."""
    body = {"refresh_token": refresh_token}
    return Call("post", "/auth/refresh", Token, body, credential="none", carries_secret=True)


def validate() -> Call[Validation]:
    """What this client's credential stands for. Raises the typed 401 or 403 when it is not valid."""
    return Call("get", "/auth/validate", Validation)


def revoke_token(token: str) -> Call[None]:
    """End an access token, a refresh token or an API key by its secret (RFC 7009).

    One that is unknown or dead is no error.
    """
    body = {"token": token}
    return Call("post", "/auth/revoke", NoneType, body, credential="none", carries_secret=True)


def introspect(token: str) -> Call[Introspection]:
    """The claims of a token (RFC 7662); `active` is false for whatever the server does not honour."""
    return Call("post", "/auth/introspect", Introspection, {"token": token}, carries_secret=True)


def explain(
    *, key: str, method: str, path: str, ip: str | None = None, model: str | None = None
) -> Call[Explanation]:
    """How the server would decide on that request, without making it. Needs admin:full.

    key: an id, a secret or a token.
    """
    body = _set(key=key, method=method, path=path, ip=ip, model=model)
    return Call("post", "/auth/explain", Explanation, body, carries_secret=True)


# keys


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
    idempotency_key: str | None = None,
) -> Call[ApiKey]:
    """Create a key. The answer's `key` is the secret, shown this once.

    scopes or level, not both. allowed_ips: CIDRs. rate_limit: requests a minute. expires_at: an aware
    datetime or an RFC 3339 string. idempotency_key: the same one gives the same answer; by default each call
    makes its own, so that openai's retries cannot create a second key.
    """
    body = _set(
        name=name,
        scopes=_strings("scopes", scopes),
        level=level,
        allowed_ips=_strings("allowed_ips", allowed_ips),
        rate_limit=rate_limit,
        expires_at=_moment(expires_at),
        models=_strings("models", models),
        customer_id=customer_id,
    )
    return Call("post", "/keys", ApiKey, body, headers=_idempotent(idempotency_key))


def list_keys(
    *,
    limit: int | None = None,
    cursor: str | None = None,
    status: KeyStatus | None = None,
    customer_id: str | None = None,
) -> Listing[ApiKey]:
    """The account's keys. limit: keys a page, 1-100. Iterating the page walks the following ones too."""
    return Listing("/keys", ApiKey, _set(limit=limit, cursor=cursor, status=status, customer_id=customer_id))


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
) -> Call[ApiKey]:
    """Change what is given and leave the rest. None takes a bound away (expires_at, models) or resets it."""
    body = _given(
        name=name,
        scopes=_strings("scopes", scopes),
        allowed_ips=_strings("allowed_ips", allowed_ips),
        rate_limit=rate_limit,
        expires_at=_moment(expires_at),
        models=_strings("models", models),
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
    body = _set(overlap=overlap, name=name)
    return Call("post", f"{_key_path(key_id)}/rotate", ApiKey, body, headers=_idempotent(idempotency_key))


def revoke_key(key_id: str) -> Call[None]:
    """Revoke the key of that id, and every token minted from it."""
    return Call("delete", _key_path(key_id), NoneType)


# customers


def create_customer(
    customer_id: str,
    *,
    name: str | None = None,
    metadata: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> Call[Customer]:
    """Create a customer under the account's own id for it. idempotency_key: as for keys."""
    body = _set(customer_id=customer_id, name=name, metadata=_texts(metadata))
    return Call("post", "/customers", Customer, body, headers=_idempotent(idempotency_key))


def list_customers(*, limit: int | None = None, cursor: str | None = None) -> Listing[Customer]:
    """The account's customers. limit: customers a page, 1-100."""
    return Listing("/customers", Customer, _set(limit=limit, cursor=cursor))


def get_customer(customer_id: str) -> Call[Customer]:
    """The customer of that account-given id."""
    return Call("get", _customer_path(customer_id), Customer)


def update_customer(
    customer_id: str,
    *,
    name: str | Omit | None = omit,
    metadata: Mapping[str, str] | Omit = omit,
    disabled: bool | Omit = omit,
) -> Call[Customer]:
    """Change what is given and leave the rest. A disabled customer's tokens are refused."""
    return Call(
        "patch",
        _customer_path(customer_id),
        Customer,
        _given(name=name, metadata=_texts(metadata), disabled=disabled),
    )


def delete_customer(customer_id: str) -> Call[None]:
    """Delete the customer; its tokens die with it."""
    return Call("delete", _customer_path(customer_id), NoneType)


# the access-control matrix


def tiers() -> Call[AccessMatrix]:
    """The access-control matrix: tiers, scopes, levels and the scope that each route asks for."""
    return Call("get", "/tiers", AccessMatrix)


# the parts of a request


def _set(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _given(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if not isinstance(value, Omit)}


def _strings(name: str, value: Sequence[str] | Omit | None) -> list[str] | Omit | None:
    if isinstance(value, str):
        raise TypeError(f"{name} is a list of strings, not one string")
    return value if value is None or isinstance(value, Omit) else list(value)


def _texts(value: Mapping[str, str] | Omit | None) -> dict[str, str] | Omit | None:
    return value if value is None or isinstance(value, Omit) else dict(value)


def _moment(value: datetime | str | Omit | None) -> str | Omit | None:
    """RFC 3339 in UTC. Raises ValueError on a datetime without a zone, which would be a guess."""
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ValueError("expires_at has no time zone: pass datetime.now(UTC) + …, or an RFC 3339 string")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _idempotent(key: str | None) -> dict[str, str]:
    return {"Idempotency-Key": key if key is not None else str(uuid.uuid4())}


def _key_path(key_id: str) -> str:
    """Raises ValueError on a secret, which does not belong into a URL: URLs are logged."""
    if key_id.startswith(_SECRET_KEY_PREFIX):
        raise ValueError("that is a key's secret, not its id (key_…); to revoke by secret use auth.revoke")
    return f"/keys/{_segment('key_id', key_id)}"


def _customer_path(customer_id: str) -> str:
    return f"/customers/{_segment('customer_id', customer_id)}"


def _segment(name: str, value: str) -> str:
    """One path segment. Raises ValueError where a URL library would read another path."""
    if value in ("", ".", ".."):
        raise ValueError(f"{name} must not be {value!r}")
    return quote(value, safe="")
