"""What members may do: each role as scopes, in one table, and who may appoint whom.

A member who is signed in to the dashboard is a principal like a key, made of the role's scopes and the end
of the session, so that the same decision is made about a person's request as about a program's.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from innoai.access.networks import Networks
from innoai.access.principal import ApiKey, Member, Principal
from innoai.access.scopes import LEVELS

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
        by_owner=member.role == OWNER,
    )
    return Principal(account, bounds, None, member=member)


def may_appoint(caller: Principal, *roles: str) -> bool:
    """Whether a caller with admin:full may make, change or remove members of these roles.

    Only owners touch owners, and keys that an owner or the operator has made. An admin makes keys, too, and
    these are to be no way around that.
    """
    return caller.key.by_owner or OWNER not in roles


def is_owners_key(caller: Principal, *, before: bool = True) -> bool:
    """Whether a key is an owner's (`ApiKey.by_owner`) once this caller has made, changed or rotated it.

    Only if it was so `before` and the caller is an owner, or a key of one: whoever is not would else lend
    an owner's key the scopes that make owners.
    """
    return before and caller.key.by_owner
