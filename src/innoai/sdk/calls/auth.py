"""Tokens, and what a credential is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openai import NoneType

from innoai.sdk.calls.call import Call, known, strings
from innoai.sdk.models.auth import Explanation, Introspection, Token, Validation

if TYPE_CHECKING:
    from collections.abc import Sequence


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
    body = known(
        customer_id=customer_id, scopes=strings("scopes", scopes), expires_in=expires_in, rotate=rotate
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
    body = known(key=key, method=method, path=path, ip=ip, model=model)
    return Call("post", "/auth/explain", Explanation, body, carries_secret=True)
