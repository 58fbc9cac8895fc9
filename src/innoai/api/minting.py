"""Making tokens: the claims of an access token and of the refresh token beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from innoai.access.scopes import in_order
from innoai.access.tokens import REFRESH_LIFETIME, Claims, mint
from innoai.fresh_ids import fresh_id

if TYPE_CHECKING:
    from innoai.access.principal import Customer
    from innoai.access.tiers import Tier
    from innoai.api.services import Services


class TokenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A token answer (RFC 6749 §5.1); `expires_in` in seconds."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int
    refresh_token: str


def mint_pair(
    services: Services,
    tier: Tier,
    *,
    key_id: str,
    customer: Customer | None,
    scopes: frozenset[str],
    lifetime: int,
    rotate: bool,
) -> TokenAnswer:
    """A first access token and its refresh token: the beginning of a family. Nothing is written."""
    now = int(services.clock())
    family = fresh_id("fam")
    refresh = Claims(
        iss=services.settings.tokens.issuer,
        aud=services.settings.tokens.audience,
        sub=key_id if customer is None else customer.id,
        client_id=key_id,
        scope=" ".join(in_order(scopes)),
        jti=f"{family}.0",
        iat=now,
        exp=now + REFRESH_LIFETIME,
        token_use="refresh",
        sid=family,
        customer_id=None if customer is None else customer.customer_id,
        lifetime=lifetime,
        generation=0 if rotate else None,
    )
    return answer_for(services, tier, refresh, mint(refresh, services.keyring.signing.current))


def answer_for(services: Services, tier: Tier, refresh: Claims, refresh_token: str) -> TokenAnswer:
    """A new access token of the family, beside the refresh token that may be used next.

    It lives no longer than the tier allows now, which may be less than when the family began.
    """
    now = int(services.clock())
    lifetime = min(refresh.lifetime or 0, tier.max_token_lifetime)
    access = msgspec.structs.replace(
        refresh,
        jti=fresh_id("jti"),
        iat=now,
        exp=now + lifetime,
        token_use="access",
        lifetime=None,
        generation=None,
    )
    token = mint(access, services.keyring.signing.current)
    return TokenAnswer(access_token=token, expires_in=lifetime, refresh_token=refresh_token)
