"""Cookies, and the token that a form has to bring back.

Two cookies hold 256 random bits each: one of a signed-in member's session, and one of a visitor who has
not signed in. What forms bring back is derived from the cookie, so another site can know neither.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets as randomness
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

TOKEN_BYTES = 32
_SESSION = "innoai_session"
_VISIT = "innoai_visit"
_is_token = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII).fullmatch


def new_token() -> str:
    """256 random bits, for a cookie."""
    return randomness.token_urlsafe(TOKEN_BYTES)


def session_cookie(*, is_https: bool) -> str:
    """Its name. A browser takes `__Host-` from this very host alone, by TLS, so nobody else can plant one."""
    return f"__Host-{_SESSION}" if is_https else _SESSION


def visit_cookie(*, is_https: bool) -> str:
    """The name of the cookie of somebody who has not signed in."""
    return f"__Host-{_VISIT}" if is_https else _VISIT


def read_token(headers: Iterable[tuple[bytes, bytes]], name: str) -> str | None:
    """The token in the cookie of that name, if the browser sent one that could be ours."""
    for header, value in headers:
        if header != b"cookie":
            continue
        for part in value.decode("latin-1").split(";"):
            key, _, token = part.strip().partition("=")
            if key == name and _is_token(token):
                return token
    return None


def set_cookie(name: str, value: str, *, is_https: bool, max_age: int | None = None) -> bytes:
    """The header that sets it; a `max_age` of 0 seconds takes it back, None is until the browser closes."""
    parts = [f"{name}={value}", "Path=/", "HttpOnly", "SameSite=Lax"]
    if is_https:
        parts.append("Secure")
    if max_age is not None:
        parts.append(f"Max-Age={max_age}")
    return "; ".join(parts).encode()


def form_token(cookie: str) -> str:
    """What every form of the browser with this cookie brings back."""
    return _derived(cookie, b"form")


def is_form_token(given: str, cookie: str) -> bool:
    """Whether a form brought back what it was given."""
    return hmac.compare_digest(given.encode(), form_token(cookie).encode())


def holder_of(cookie: str) -> bytes:
    """Under what is kept what is under way in the browser with this cookie."""
    return hashlib.sha256(cookie.encode()).digest()


def _derived(cookie: str, purpose: bytes) -> str:
    digest = hmac.digest(cookie.encode(), purpose, "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
