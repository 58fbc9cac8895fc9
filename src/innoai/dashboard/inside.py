"""What the pages work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from innoai.access.networks import Networks
    from innoai.auth.minting import Mint
    from innoai.config import Settings
    from innoai.dashboard.control import ASGIApp
    from innoai.dashboard.passwords import Passwords
    from innoai.dashboard.provider import Provider
    from innoai.dashboard.rendering import Renderer
    from innoai.dashboard.throttle import Throttle
    from innoai.keyring.keyring import Keyring
    from innoai.store.database import Database
    from innoai.store.secrets import Secrets


@dataclass(frozen=True, slots=True)
class Inside:
    """The rooms below the dashboard, as server.py wired them, and the tools that its pages share."""

    settings: Settings
    database: Database
    secrets: Secrets
    keyring: Keyring
    mint: Mint
    control_plane: ASGIApp
    trusted_proxies: Networks
    clock: Callable[[], float]
    renderer: Renderer
    passwords: Passwords
    throttle: Throttle
    provider: Provider | None

    @property
    def is_https(self) -> bool:
        """Whether people reach this server by TLS, so that cookies and headers can insist on it."""
        return self.settings.server.url.startswith("https:")
