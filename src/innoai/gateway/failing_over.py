"""What a model server's answer is when it is not one to relay: whose fault, and whether another is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from innoai.errors import ERRORS, refusal
from innoai.gateway.upstream import FailureKind

if TYPE_CHECKING:
    from innoai.errors import Refusal
    from innoai.gateway.upstream import Failure

FORBIDDEN, TOO_MANY_REQUESTS = 403, 429
_UNAUTHORIZED, _PAYMENT_REQUIRED, _REQUEST_TIMEOUT = 401, 402, 408
_REDIRECTS = range(300, 400)
_SERVER_ERRORS = frozenset(range(500, 600)) - {501, 505}
"""Without those that say of the request that it will never be served."""

_ANOTHER_MAY_SERVE = _SERVER_ERRORS | {_REQUEST_TIMEOUT, FORBIDDEN, TOO_MANY_REQUESTS}

TOLD_IN_ITS_OWN_WORDS = frozenset((FORBIDDEN, TOO_MANY_REQUESTS))
"""Statuses that are relayed when no other model server is left: why not, and for how long, is said there."""

_OPERATORS = {
    _UNAUTHORIZED: "The model server refused the gateway's credential. The operator must check its api_key.",
    _PAYMENT_REQUIRED: "The gateway's account at the model server has no credit. The operator must add some.",
}
"""Relayed, they would tell the caller that its own key is wrong, or its own budget used up."""

_ENCODED = (
    "The model server compresses its answers although it is asked not to (accept-encoding: identity). "
    "The operator must turn that off there, or in what stands between."
)


_LONGEST_WAIT = 3600
"""Seconds that a caller is told to wait at most, whatever a model server asks for."""


def refused_by(status: int, wait: float | None = None) -> Refusal | None:
    """What the caller is told if no other model server is left; None for an answer to relay.

    wait: the seconds that the only model server asks for.
    """
    message = _OPERATORS.get(status)
    if status in _REDIRECTS:
        # Followed, it would lead the caller around the gateway.
        message = "The model server redirects elsewhere. The operator must correct its base_url."
    elif status in _ANOTHER_MAY_SERVE:
        message = f"The model server answered with status {status}. Try again shortly."
    if message is None:
        return None
    told = {} if wait is None else {"retry_after": int(min(wait, _LONGEST_WAIT))}
    return refusal("upstream_error", message, upstream_status=status, **told)


def refused_for_its_encoding(status: int) -> Refusal:
    """What the caller is told of an answer whose usage cannot be read, and which would be nearly free so."""
    return refusal("upstream_error", _ENCODED, upstream_status=status)


def is_well(status: int) -> bool:
    """Whether a model server that refuses so may be asked as before: it may be this request's fault alone.

    So it is with what a moderation objects to.
    """
    return status == FORBIDDEN


def failed(failure: Failure) -> Refusal:
    """What the caller is told of an answer that never came, or broke off."""
    code = "upstream_timeout" if failure.kind is FailureKind.TIMED_OUT else "upstream_error"
    return refusal(code, f"{ERRORS[code].message} ({failure.text})")
