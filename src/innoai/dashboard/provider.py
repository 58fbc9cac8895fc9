"""An OpenID Connect provider that members may sign in with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from innoai.config import OidcSettings, Settings


class Provider:
    """The provider of the settings."""

    def __init__(self, settings: OidcSettings) -> None:
        self.settings = settings


def open_provider(settings: Settings) -> Provider | None:
    """The provider, if the settings name one."""
    oidc = settings.dashboard.oidc
    return None if oidc is None else Provider(oidc)
