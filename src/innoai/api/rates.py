"""Rate limits on the wire, of keys and of customers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from innoai.access.tiers import MAX_RATE_LIMIT
from innoai.errors import InnoError

if TYPE_CHECKING:
    from innoai.access.tiers import Tier

RateLimit = Annotated[int, Meta(ge=1, le=MAX_RATE_LIMIT, description="requests a minute")]


def within(tier: Tier, wanted: int | None) -> int | None:
    """The limit that is wanted, if the tier allows one as great.

    Raises:
        InnoError: invalid_request when it does not.
    """
    if wanted is not None and wanted > tier.max_rate_limit:
        raise InnoError(
            "invalid_request",
            f"rate_limit: tier {tier.name} allows at most {tier.max_rate_limit} requests a minute.",
            param="rate_limit",
        )
    return wanted
