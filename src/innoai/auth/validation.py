"""What a live credential stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from innoai.access.scopes import in_order
from innoai.auth.shapes import Scope

if TYPE_CHECKING:
    from innoai.access.principal import Principal


class Validation(msgspec.Struct, frozen=True):
    """What a live credential stands for; `rate_limit` is its key's, in requests a minute."""

    valid: bool
    key_id: str
    scopes: tuple[Scope, ...]
    rate_limit: int
    tier: str


def validation(principal: Principal) -> Validation:
    """The answer to whoever presents the principal's credential."""
    return Validation(
        valid=True,
        key_id=principal.key.id,
        scopes=in_order(principal.scopes),
        rate_limit=principal.key.rate_limit,
        tier=principal.account.tier,
    )
