"""Which requests may be sent a second time, when the first one's fate is unknown or it was refused.

A completion may have been generated, and charged, though its answer never arrived. So a request that is not
idempotent is sent again only where it is known that nothing was done: it was refused with 429 or 503, or no
connection came about. One that is idempotent is repeated as openai repeats everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
from openai import APIConnectionError, APITimeoutError
from openai._httpx2 import timeout_exceptions

if TYPE_CHECKING:
    from collections.abc import Callable

UNTOUCHED = frozenset({429, 503})
"""Refusals that say that nothing was done."""
SAFE_POSTS = ("/auth/token", "/auth/refresh", "/auth/revoke", "/auth/introspect", "/auth/explain")
"""They create nothing that a second one would double; a rotating refresh gives the same successor again."""
_KEY_HEADER = "idempotency-key"
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


def idempotent(request: httpx2.Request) -> bool:
    """Whether sending it twice does what sending it once does."""
    if request.method != "POST" or request.headers.get(_KEY_HEADER):
        return True
    return request.url.path.endswith(SAFE_POSTS)


def may_repeat(response: httpx2.Response, otherwise: Callable[[httpx2.Response], bool]) -> bool:
    """Whether a refused request is sent again. `otherwise` is openai's answer, which is never widened.

    A conflict is final, and so is what may have been done by half, unless the server says otherwise.
    """
    status = response.status_code
    final = status == 409 or not (status in UNTOUCHED or idempotent(response.request))
    asked = response.headers.get("x-should-retry") == "true"
    return otherwise(response) and (asked or not final)


def final_error(problem: Exception, request: httpx2.Request) -> APIConnectionError | None:
    """What to raise at once for a lost connection; None where the request may be sent again."""
    if idempotent(request) or isinstance(problem, _NEVER_SENT):
        return None
    timed_out = isinstance(problem, timeout_exceptions())
    return APITimeoutError(request=request) if timed_out else APIConnectionError(request=request)
