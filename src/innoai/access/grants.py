"""What a new token may carry: never more than the key that mints it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from innoai.access.scopes import (
    ADMIN_FULL,
    BILLING_READ,
    CUSTOMERS_READ,
    DEFAULT_SCOPES,
    grants,
    in_order,
    scope_set,
)
from innoai.access.tokens import DEFAULT_LIFETIME, MAX_LIFETIME, MIN_LIFETIME
from innoai.errors import InnoError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from innoai.access.tiers import Tier


FOR_CUSTOMERS = frozenset((*DEFAULT_SCOPES, CUSTOMERS_READ, BILLING_READ))
"""What a customer's token gets without asking: what concerns the customer itself."""


def token_scopes(
    key_scopes: frozenset[str], wanted: Iterable[str] | None, *, for_customer: bool
) -> frozenset[str]:
    """The scopes of a token minted from a key with `key_scopes`.

    None asks for the key's own, for a customer for those of FOR_CUSTOMERS; `admin:full`, which a token
    gets only by name, then stands for inference.

    Raises:
        InnoError: invalid_request for an unknown scope or for none at all, insufficient_permissions for
            one that the key lacks, or for `admin:full` in a customer's token.
    """
    if wanted is None:
        return _unasked(key_scopes, for_customer=for_customer)
    try:
        scopes = scope_set(wanted)
    except ValueError as error:
        raise InnoError("invalid_request", f"scopes: {error}.", param="scopes") from None
    if not scopes:
        raise InnoError(
            "invalid_request", "scopes: name at least one scope, or leave the member out.", param="scopes"
        )
    for scope in in_order(scopes):
        if not grants(key_scopes, scope):
            raise InnoError("insufficient_permissions", required_scope=scope)
    if for_customer and ADMIN_FULL in scopes:
        raise InnoError(
            "insufficient_permissions",
            "A customer's token never carries admin:full. Leave it out of scopes.",
            required_scope=ADMIN_FULL,
        )
    return scopes


def _unasked(key_scopes: frozenset[str], *, for_customer: bool) -> frozenset[str]:
    own = key_scopes - {ADMIN_FULL}
    scopes = own if own == key_scopes else own | set(DEFAULT_SCOPES)
    if not for_customer:
        return scope_set(scopes)
    if not scopes & FOR_CUSTOMERS:
        raise InnoError(
            "invalid_request",
            "scopes: the key has none that a customer's token gets unasked "
            f"({', '.join(in_order(FOR_CUSTOMERS))}). Name the scopes.",
            param="scopes",
        )
    return scope_set(scopes & FOR_CUSTOMERS)


def token_lifetime(wanted: int | None, tier: Tier) -> int:
    """Seconds for which an access token lives; the tier may cap what is asked for.

    Raises:
        InnoError: invalid_request outside 60 seconds to the tier's greatest lifetime.
    """
    longest = min(MAX_LIFETIME, tier.max_token_lifetime)
    if wanted is None:
        return min(DEFAULT_LIFETIME, longest)
    if not MIN_LIFETIME <= wanted <= longest:
        raise InnoError(
            "invalid_request",
            f"expires_in: choose from {MIN_LIFETIME} to {longest} seconds.",
            param="expires_in",
        )
    return wanted
