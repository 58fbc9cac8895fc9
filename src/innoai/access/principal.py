"""Who a credential stands for: the facts that the store holds of it, frozen.

Structs rather than dataclasses, here and in decide.py: a request makes some, and a frozen
dataclass takes ten times as long to make. The garbage collector does not follow them (`gc=False`):
nothing that they hold leads back to them, and a million of them in memory would be gone through each time.
"""

from __future__ import annotations

from msgspec import Struct

from innoai.access.budgets import DEFAULT_CURRENCY, Budget
from innoai.access.networks import Networks
from innoai.access.scopes import both
from innoai.access.tiers import FEATURES
from innoai.access.tokens import Claims
from innoai.errors import Refusal


class Account(Struct, frozen=True, gc=False):
    """A tenant of this installation. `features` are its tier's."""

    id: str
    tier: str
    disabled: bool
    features: frozenset[str] = frozenset(FEATURES)
    currency: str = DEFAULT_CURRENCY
    budgets: tuple[Budget, ...] = ()


class Customer(Struct, frozen=True, gc=False):
    """The account's own end customer: `id` is ours (`cus_…`), `customer_id` the account's.

    `rate_limit` in requests a minute, of all its credentials together; None is no limit of its own.
    """

    id: str
    customer_id: str
    disabled: bool
    rate_limit: int | None = None
    budgets: tuple[Budget, ...] = ()

    @property
    def is_bounded(self) -> bool:
        """Whether it has bounds beside those of the key."""
        return self.rate_limit is not None or bool(self.budgets)


class ApiKey(Struct, frozen=True, gc=False):
    """What a decision needs of a key. Times in Unix seconds; `rate_limit` in requests a minute.

    `by_owner`: whether an owner or the operator made it, or a key of theirs.
    """

    id: str
    scopes: frozenset[str]
    networks: Networks
    rate_limit: int
    models: frozenset[str] | None
    expires_at: float | None
    revoked_at: float | None
    budgets: tuple[Budget, ...] = ()
    by_owner: bool = True


class Member(Struct, frozen=True):
    """A person who is signed in to the dashboard. `role` is a row of roles.ROLES."""

    id: str
    role: str


class Principal(Struct, frozen=True, gc=False):
    """A live or once live credential, resolved: a key, a token minted from one, or a member's session.

    A member's `key` holds the bounds of the role under the member's id; see roles.member_principal.
    """

    account: Account
    key: ApiKey
    customer: Customer | None
    token: Claims | None = None
    member: Member | None = None

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """Every budget that a request of this credential has to be within."""
        customer = () if self.customer is None else self.customer.budgets
        return self.account.budgets + customer + self.key.budgets

    @property
    def scopes(self) -> frozenset[str]:
        """What the credential may do: a token's scopes count only as far as its key still has them."""
        return self.key.scopes if self.token is None else both(self.token.scopes, self.key.scopes)


class Unauthenticated(Struct, frozen=True):
    """A credential that stands for nobody, with the check that found out."""

    check: str
    refusal: Refusal
