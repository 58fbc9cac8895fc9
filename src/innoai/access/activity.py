"""What a key did: requests that met one and the same decision, counted together.

Where a key is called from many addresses, networks are kept instead of them, and in the end nothing but
that it was called; so the place of a row is a network, from a single address to everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from innoai.access.networks import Network, is_v4, parse_network
from innoai.access.routes import Route  # noqa: TC001 - msgspec reads it

if TYPE_CHECKING:
    from innoai.access.principal import Principal

ALLOWED = "allowed"
"""The code of requests that nothing refused."""

Bearer = Literal["key", "token", "customer"]
"""What was presented: the key itself, a token of its own, or one for a customer."""

EVERYWHERE = Network(0, (1 << 129) - 1)
"""The place of requests of which no place is kept."""

OTHER = "other"
"""How EVERYWHERE is written, and the models of which no name is kept."""

MOST_CHARACTERS = 200
"""Of a model's name, which is the caller's as long as no model has it."""

V4_NETWORK_BITS = 8
V6_NETWORK_BITS = 72
"""Bits below the prefix of what is kept instead of too many addresses: a /24, or a /56."""


class Seen(Struct, frozen=True):
    """Requests of a key that asked for the same and were told the same, by code; the last one at `last_at`.

    `place` None: nobody could tell the caller's address. `model`: the public name in the body.
    """

    route: Route
    place: Network | None
    code: str
    requests: int
    last_at: float
    model: str | None = None
    required_scope: str | None = None
    bearer: Bearer = "key"

    @property
    def allowed(self) -> bool:
        """Whether they were admitted."""
        return self.code == ALLOWED


def bearer_of(principal: Principal) -> Bearer:
    """What the principal presented."""
    if principal.token is None:
        return "key"
    return "token" if principal.token.customer_id is None else "customer"


def network_of(address: int) -> Network:
    """The network that is kept of an address where there are too many."""
    return block_of(address, V4_NETWORK_BITS if is_v4(address) else V6_NETWORK_BITS)


def block_of(address: int, bits: int) -> Network:
    """The network that an address is in when so many bits below its prefix are left open."""
    span = (1 << bits) - 1
    return Network(address & ~span, address | span)


def place_text(place: Network | None) -> str:
    """A place as it is stored and shown: an address, a CIDR, `other`, or nothing where nobody could tell."""
    if place is None:
        return ""
    if place == EVERYWHERE:
        return OTHER
    text = str(place)
    return text.partition("/")[0] if place.first == place.last else text


def parse_place(text: str) -> Network | None:
    """The place of such a text; ValueError for others."""
    if not text:
        return None
    return EVERYWHERE if text == OTHER else parse_network(text)


def storable(model: str) -> str:
    """A model's name as any store takes it, whatever the caller made of it."""
    name = model[:MOST_CHARACTERS]
    if name.isprintable():
        return name
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
