"""What the handlers work with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prometheus_client import CollectorRegistry

    from innoai.access.networks import Networks
    from innoai.access.tiers import Tier
    from innoai.api.event_stream import Reader
    from innoai.auth.minting import Mint
    from innoai.config import Settings
    from innoai.door import Door
    from innoai.keyring.feed import ChangeFeed
    from innoai.keyring.keyring import Keyring
    from innoai.metering.prices import Tariff
    from innoai.store.database import Database
    from innoai.store.secrets import Secrets


@dataclass(frozen=True, slots=True)
class Services:
    """The rooms below the control plane, as server.py wired them. `started_at` in Unix seconds."""

    settings: Settings
    database: Database
    secrets: Secrets
    keyring: Keyring
    feed: ChangeFeed
    door: Door
    mint: Mint
    tiers: Mapping[str, Tier]
    tariffs: Mapping[str, Tariff]
    started_at: int
    trusted_proxies: Networks
    registry: CollectorRegistry
    clock: Callable[[], float]
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server has been asked to stop: what would go on for ever ends then."""
    streams: WeakSet[Reader] = field(default_factory=WeakSet)
    """Who reads events as they happen."""

    async def heed_changes(self) -> None:
        """Make a committed mutation effective here, before it is acknowledged."""
        await self.feed.heed(self.keyring)
