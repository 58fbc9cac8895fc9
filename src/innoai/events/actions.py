"""What the audit log records, as one table: the events, and what is nobody else's business."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from innoai.events.types import EVENT_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

_EVENT_ALONE = "webhook.test"
"""Nothing happened, so nothing is recorded but that somebody asked for it."""

ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        **{name: kind.description for name, kind in EVENT_TYPES.items() if name != _EVENT_ALONE},
        "key.leak_reported": "A key was found where it should not stand.",
        "token.revoked": "An access token was revoked.",
        "token.family_revoked": "A refresh token was revoked, with every token of its family.",
        "billing.settings_updated": "Currency, budgets or alert thresholds of the account were changed.",
        "webhook.created": "An endpoint was created.",
        "webhook.updated": "An endpoint was changed, disabled or enabled.",
        "webhook.deleted": "An endpoint was deleted.",
        "webhook.secret_rotated": "An endpoint got a new secret.",
        "webhook.tested": "Somebody asked for a test delivery.",
        "webhook.replayed": "Deliveries were sent again.",
        "member.invited": "A person was invited to the account.",
        "member.updated": "A member got another role or name.",
        "member.removed": "A member was removed, or an invitation was taken back.",
        "member.joined": "An invitation was taken up.",
        "member.signed_in": "A member signed in to the dashboard.",
        "member.sign_in_failed": "A password or a code at the dashboard was wrong.",
        "member.signed_out": "A member signed out of the dashboard.",
        "member.session_ended": "A member ended sessions of their own.",
        "member.password_changed": "A member chose another password.",
        "member.factor_added": "A member added a passkey or an app for codes, or connected the provider.",
        "member.factor_removed": "A member removed a passkey, or the app that shows codes.",
        "account.created": "The operator made the account.",
        "account.disabled": "The operator disabled the account.",
        "account.enabled": "The operator enabled the account.",
        "signing_key.rotated": "The operator let a new key sign tokens; in the first account.",
    }
)
"""Each action with what it says."""
