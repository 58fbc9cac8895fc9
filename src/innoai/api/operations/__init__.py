"""The operations: what each route takes and gives, as one table. The OpenAPI document is rendered from it.

Every row of access.routes.ROUTES has one operation here, and the tests hold the two together. The
few routes outside /v1 that programs call are here as well; the pages for people are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from innoai.api.billing import Month
from innoai.api.deliveries import DeliveryId
from innoai.api.operations.activity import ACTIVITY
from innoai.api.operations.audit import AUDIT
from innoai.api.operations.billing import BILLING
from innoai.api.operations.customers import CUSTOMERS
from innoai.api.operations.inference import INFERENCE
from innoai.api.operations.keys import KEYS
from innoai.api.operations.members import MEMBERS
from innoai.api.operations.operation import (
    CUSTOMER_ID,
    DELIVERY_ID,
    ENDPOINT_ID,
    KEY_ID,
    MEMBER_ID,
    MODEL,
    MONTH,
    Operation,
)
from innoai.api.operations.server import SERVER
from innoai.api.operations.tokens import TOKENS
from innoai.api.operations.webhooks import WEBHOOKS
from innoai.api.webhooks import EndpointId
from innoai.auth.shapes import CustomerId
from innoai.inference import ModelName

if TYPE_CHECKING:
    from collections.abc import Mapping

KeyId = Annotated[str, Meta(pattern="^key_[0-9A-Za-z]{22}$", description="the id of a key")]
MemberId = Annotated[str, Meta(pattern="^mem_[0-9A-Za-z]{22}$", description="the id of a member")]
PATH_PARAMETERS: Mapping[str, tuple[Any, str]] = {
    "key_id": (KeyId, KEY_ID),
    "customer_id": (CustomerId, CUSTOMER_ID),
    "member_id": (MemberId, MEMBER_ID),
    "endpoint_id": (EndpointId, ENDPOINT_ID),
    "delivery_id": (DeliveryId, DELIVERY_ID),
    "model": (ModelName, MODEL),
    "month": (Month, MONTH),
}
"""Each parameter of a path template: its type and an example."""

TAGS: Mapping[str, str] = {
    "inference": "OpenAI's routes. Members that are not named here go to the model server as they are.",
    "tokens": "Short-lived tokens: mint, refresh, validate, revoke, introspect, explain.",
    "keys": "API keys: create, change, rotate with overlap, revoke.",
    "requests": "The account's requests as they happen, and its last refusals with the reasons.",
    "customers": "The account's own end customers.",
    "members": "The people of the account, and their roles.",
    "webhooks": "Where events are sent, what became of them, and events as a stream.",
    "audit": "The audit log: what was done, by whom, and from where.",
    "billing": "What was used and what it cost; budgets; monthly statements.",
    "access": "The access-control matrix.",
    "server": "Health, metrics and this document.",
}

OPERATIONS: tuple[Operation, ...] = (
    *INFERENCE,
    *TOKENS,
    *KEYS,
    *ACTIVITY,
    *CUSTOMERS,
    *MEMBERS,
    *BILLING,
    *WEBHOOKS,
    *AUDIT,
    *SERVER,
)
