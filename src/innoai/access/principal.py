"""Who a credential stands for: the facts that the store holds of it, frozen.

Structs rather than dataclasses, here and in decide.py: a request makes some, and a frozen
dataclass takes ten times as long to make.
"""

from __future__ import annotations

from msgspec import Struct

from innoai.access.networks import Networks
from innoai.access.scopes import both
from innoai.access.tokens import Claims
from innoai.errors import Refusal


class Account(Struct, frozen=True):
    """A tenant of this installation."""

    id: str
    tier: str
    disabled: bool


class Customer(Struct, frozen=True):
    """The account's own end customer: `id` is ours (`cus_…`), `customer_id` the account's."""

    id: str
    customer_id: str
    disabled: bool


class ApiKey(Struct, frozen=True):
    """What a decision needs of a key. Times in Unix seconds; `rate_limit` in requests a minute."""

    id: str
    scopes: frozenset[str]
    networks: Networks
    rate_limit: int
    models: frozenset[str] | None
    expires_at: float | None
    revoked_at: float | None


class Principal(Struct, frozen=True):
    """A live or once live credential, resolved: a key, or a token minted from one."""

    account: Account
    key: ApiKey
    customer: Customer | None
    token: Claims | None = None

    @property
    def scopes(self) -> frozenset[str]:
        """What the credential may do: a token's scopes count only as far as its key still has them."""
        return self.key.scopes if self.token is None else both(self.token.scopes, self.key.scopes)


class Unauthenticated(Struct, frozen=True):
    """A credential that stands for nobody, with the check that found out."""

    check: str
    refusal: Refusal
