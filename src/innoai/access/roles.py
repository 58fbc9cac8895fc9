"""What members may do: each role as scopes, in one table, and who may appoint whom.

A member who is signed in to the dashboard is a principal like a key, made of the role's scopes and the end
of the session, so that the same decision is made about a person's request as about a program's.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from innoai.access.networks import Networks
from innoai.access.principal import ApiKey, Member, Principal
from innoai.access.scopes import ADMIN_FULL, LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from innoai.access.principal import Account

OWNER = "owner"
ADMIN = "admin"
DEVELOPER = "developer"
VIEWER = "viewer"

ROLES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        OWNER: LEVELS["admin"],
        ADMIN: LEVELS["admin"],
        DEVELOPER: LEVELS["delete"],
        VIEWER: LEVELS["read"],
    }
)
"""The scopes of each role: a developer has all but admin:full, a viewer those that only read."""

MEMBER_RATE_LIMIT = 1_200
"""Requests a minute of one member; a page makes a few."""

_ANYWHERE = Networks(())


def member_principal(
    account: Account, member: Member, expires_at: float, models: frozenset[str] | None
) -> Principal:
    """The principal of a member whose session ends at `expires_at` (Unix seconds); `models`: the tier's."""
    bounds = ApiKey(
        id=member.id,
        scopes=ROLES[member.role],
        networks=_ANYWHERE,
        rate_limit=MEMBER_RATE_LIMIT,
        models=models,
        expires_at=expires_at,
        revoked_at=None,
    )
    return Principal(account, bounds, None, member=member)


def may_appoint(member: Member | None, *roles: str) -> bool:
    """Whether a caller may make, change or remove members of these roles; only owners touch owners.

    None is a key with admin:full, which is the account's own.
    """
    return member is None or member.role == OWNER or (ADMIN_FULL in ROLES[member.role] and OWNER not in roles)
