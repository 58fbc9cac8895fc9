"""What a page says once something was done: the only sentences that an address can make a page show."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTICES: Mapping[str, str] = MappingProxyType(
    {
        "key-changed": "The key was changed. It counts from now on.",
        "key-revoked": "The key was revoked, with every token that came from it.",
        "key-is-revoked": "The key was revoked before: nothing about it can be changed any more.",
        "customer-created": "The customer was created.",
        "customer-changed": "The customer was changed.",
        "customer-disabled": "The customer was disabled: its keys and tokens are refused.",
        "customer-enabled": "The customer was enabled again.",
        "customer-deleted": "The customer was deleted.",
        "endpoint-changed": "The endpoint was changed.",
        "endpoint-disabled": "The endpoint was disabled: nothing is sent to it.",
        "endpoint-enabled": "The endpoint was enabled again.",
        "endpoint-deleted": "The endpoint was deleted.",
        "test-sent": "A test event is on its way.",
        "replayed": "It is on its way once more.",
        "billing-changed": "Budgets and alerts were changed. They count from now on.",
        "member-changed": "The member was changed. It counts from now on.",
        "member-removed": "The member was removed.",
        "signed-out": "You are signed out.",
        "session-ended": "Your session has ended. Sign in and go on.",
        "session-revoked": "The session was ended.",
        "sessions-revoked": "All your other sessions were ended.",
        "password-changed": "Your password was changed, and your other sessions were ended.",
        "authenticator-added": "From now on a code is asked for after your password.",
        "authenticator-removed": "No code is asked for any more.",
        "provider-connected": "The provider is connected, and your other sessions were ended.",
        "passkey-added": "The passkey was added. You can sign in with it from now on.",
        "passkey-removed": "The passkey was removed.",
        "recovery-codes-made": "There are new recovery codes; those of before count no longer.",
        "welcome": "Welcome to innoai.",
    }
)
"""Each by the name that stands in the address."""
