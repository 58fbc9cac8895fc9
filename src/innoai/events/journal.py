"""The one place that records what was done: in the audit log, and as an event where there is such a type."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from innoai.events import outbox
from innoai.events.actions import ACTIONS
from innoai.events.types import EVENT_TYPES
from innoai.fresh_ids import fresh_id
from innoai.store import audit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it, and from where. `id`: of the key, token or member; None for the operator and the system.

    `key_id`: the key itself, or the one that the token came from. `customer_id`: the customer, in the
    account's own words, whose credential it is.
    """

    kind: Literal["key", "token", "member", "operator", "system", "anonymous"]
    id: str | None = None
    address: str | None = None
    request_id: str | None = None
    key_id: str | None = None
    customer_id: str | None = None


OPERATOR = Actor("operator")
SYSTEM = Actor("system")


async def record(
    connection: AsyncConnection,
    account_id: str,
    action: str,
    *,
    actor: Actor,
    now: float,
    target_id: str | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    event: Mapping[str, Any] | None = None,
) -> None:
    """Record an action in the transaction that does it, after the change feed was told (`innoai.store`).

    `before` and `after` are the object as the API shows it, without secrets. An action that is an event
    type is published too, with `event` as its data, else `after`.

    Raises:
        ValueError: the table of actions does not have it.
    """
    if action not in ACTIONS:
        raise ValueError(f"{action} is no action of events.actions.ACTIONS")
    if action in EVENT_TYPES:
        await outbox.publish(connection, account_id, action, event or after or {}, now)
    entry = {
        "id": fresh_id("aud"),
        "object": "audit_entry",
        "at": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "actor": {
            "kind": actor.kind,
            "id": actor.id,
            "key_id": actor.key_id,
            "customer_id": actor.customer_id,
        },
        "action": action,
        "target_id": target_id,
        "address": actor.address,
        "request_id": actor.request_id,
        "before": before,
        "after": after,
    }
    await audit.append(connection, account_id, entry, now)
