"""Making tokens: what may be asked for, and the claims of an access token and of its refresh token."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from innoai.access.grants import token_lifetime, token_scopes
from innoai.access.scopes import both, in_order
from innoai.access.tokens import MAX_LIFETIME, MIN_LIFETIME, REFRESH_LIFETIME, Claims, mint
from innoai.auth.shapes import Credential, CustomerId, Scopes
from innoai.errors import InnoError
from innoai.fresh_ids import fresh_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from innoai.access.principal import Customer, Principal
    from innoai.access.tiers import Tier
    from innoai.config import TokenSettings
    from innoai.keyring.keyring import Keyring


class TokenRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a token is asked for with. The key comes here or in the Authorization header."""

    api_key: Annotated[Credential, Meta(description="the key, where the header has none")] | None = None
    customer_id: CustomerId | None = None
    scopes: Scopes | None = None
    expires_in: Annotated[
        Annotated[int, Meta(ge=MIN_LIFETIME, le=MAX_LIFETIME)] | None,
        Meta(description="seconds for which the access token lives; 3600 if left out"),
    ] = None
    rotate: Annotated[bool, Meta(description="whether each refresh gives a new refresh token")] = False


class TokenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A token answer (RFC 6749 §5.1); `expires_in` in seconds."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int
    refresh_token: str


class Grant(msgspec.Struct, frozen=True):
    """What a new token is to carry; `lifetime` of the access token in seconds."""

    scopes: frozenset[str]
    lifetime: int


def presented(in_header: str | None, in_body: str | None) -> str | None:
    """The credential that asks for a token.

    Raises:
        InnoError: invalid_api_key when header and body name two.
    """
    if in_header is not None and in_body is not None and in_header != in_body:
        # Two credentials are none: which one would count?
        raise InnoError(
            "invalid_api_key",
            "The header and api_key name two different credentials. Send the key in one place.",
            param="api_key",
        )
    return in_header or in_body


def asks_for_another(caller: Principal, customer_id: str | None) -> bool:
    """Whether a token is asked for on behalf of a customer that the key itself does not name.

    Raises:
        InnoError: insufficient_permissions when the key is bound to another customer.
    """
    bound = caller.customer
    if customer_id is None or (bound is not None and bound.customer_id == customer_id):
        return False
    if bound is not None:
        raise InnoError(
            "insufficient_permissions",
            f"This key is bound to customer {bound.customer_id} and mints tokens for no other.",
        )
    return True


def enabled(customer: Customer) -> Customer:
    """The customer, if tokens may be minted for it.

    Raises:
        InnoError: insufficient_permissions when it is disabled.
    """
    if customer.disabled:
        raise InnoError(
            "insufficient_permissions",
            f"Customer {customer.customer_id} is disabled. "
            f"Enable it by PATCH /v1/customers/{customer.customer_id}.",
        )
    return customer


class Mint:
    """Makes tokens. Nothing is written."""

    def __init__(
        self,
        keyring: Keyring,
        settings: TokenSettings,
        tiers: Mapping[str, Tier],
        clock: Callable[[], float],
    ) -> None:
        self._keyring = keyring
        self._settings = settings
        self._tiers = tiers
        self._clock = clock

    def grant(self, caller: Principal, wanted: TokenRequest) -> Grant:
        """What the admitted caller gets of what it wants.

        Raises:
            InnoError: insufficient_permissions for a token, which mints none; whatever access.grants refuses.
        """
        if caller.token is not None:
            raise InnoError(
                "insufficient_permissions",
                "Only an API key mints tokens. Use POST /v1/auth/refresh instead.",
            )
        for_customer = caller.customer is not None or wanted.customer_id is not None
        scopes = token_scopes(caller.key.scopes, wanted.scopes, for_customer=for_customer)
        return Grant(scopes, token_lifetime(wanted.expires_in, self._tiers[caller.account.tier]))

    def pair(
        self, caller: Principal, customer: Customer | None, granted: Grant, *, rotate: bool
    ) -> TokenAnswer:
        """A first access token and its refresh token: the beginning of a family."""
        now = int(self._clock())
        family = fresh_id("fam")
        refresh = Claims(
            iss=self._settings.issuer,
            aud=self._settings.audience,
            sub=caller.key.id if customer is None else customer.id,
            client_id=caller.key.id,
            scope=" ".join(in_order(granted.scopes)),
            jti=f"{family}.0",
            iat=now,
            exp=now + REFRESH_LIFETIME,
            token_use="refresh",
            sid=family,
            customer_id=None if customer is None else customer.customer_id,
            lifetime=granted.lifetime,
            generation=0 if rotate else None,
        )
        return self.following(caller, refresh)

    def of_session(self, member: Principal, session_id: str, scopes: frozenset[str], lifetime: int) -> str:
        """An access token of a member who is signed in: it ends with the session, and has no refresh token.

        `lifetime` in seconds. Of `scopes` it carries those that the member's role has.
        """
        now = int(self._clock())
        claims = Claims(
            iss=self._settings.issuer,
            aud=self._settings.audience,
            sub=member.key.id,
            client_id=member.key.id,
            scope=" ".join(in_order(both(member.key.scopes, scopes))),
            jti=fresh_id("jti"),
            iat=now,
            exp=now + lifetime,
            token_use="access",
            sid=session_id,
        )
        return mint(claims, self._keyring.signing.current)

    def following(self, caller: Principal, refresh: Claims, refresh_token: str | None = None) -> TokenAnswer:
        """A new access token of the family, beside the refresh token that may be used next.

        That is `refresh_token`, or a new one with those claims. The access token lives no longer than the
        tier allows now, which may be less than when the family began, and neither outlives the key.
        """
        now = int(self._clock())
        signing = self._keyring.signing.current
        lifetime = min(refresh.lifetime or 0, self._tiers[caller.account.tier].max_token_lifetime)
        if caller.key.expires_at is not None:
            ends = math.ceil(caller.key.expires_at)
            lifetime = min(lifetime, ends - now)
            refresh = msgspec.structs.replace(refresh, exp=min(refresh.exp, ends))
        access = msgspec.structs.replace(
            refresh,
            jti=fresh_id("jti"),
            iat=now,
            exp=now + lifetime,
            token_use="access",
            lifetime=None,
            generation=None,
        )
        return TokenAnswer(
            access_token=mint(access, signing),
            expires_in=lifetime,
            refresh_token=mint(refresh, signing) if refresh_token is None else refresh_token,
        )
