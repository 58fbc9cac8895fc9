"""Who acts: what the audit log keeps of a request's caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from innoai.access.networks import format_address
from innoai.api.admission import address_of, request_id_of
from innoai.events.journal import Actor

if TYPE_CHECKING:
    from innoai.access.principal import Principal
    from innoai.api.wire import JsonRequest
    from innoai.door import Admission


def actor_of(request: JsonRequest, caller: Admission) -> Actor:
    """The admitted caller of a request: its key, token or member, from where, in which request."""
    return holder(request, caller.principal)


def holder(request: JsonRequest, principal: Principal) -> Actor:
    """Whoever makes the request with this credential; a token's jti beside the key that it came from."""
    token, customer = principal.token, principal.customer
    number = address_of(request, request.app.state.services)
    address = None if number is None else format_address(number)
    if principal.member is not None:
        return Actor("member", principal.member.id, address, request_id_of(request))
    return Actor(
        kind="key" if token is None else "token",
        id=principal.key.id if token is None else token.jti,
        address=address,
        request_id=request_id_of(request),
        key_id=principal.key.id,
        customer_id=None if customer is None else customer.customer_id,
    )
