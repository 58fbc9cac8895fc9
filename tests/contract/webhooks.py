"""What the tests of webhooks share: settings, endpoints, and waiting for what comes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from tests.support.server import MODEL
from tests.support.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

T = TypeVar("T")
PATIENCE = 40.0


def webhook_settings(**webhooks: object) -> str:
    """Settings that allow endpoints on this machine."""
    return settings(
        {MODEL: [{"base_url": "echo:"}]},
        {"webhooks": {"allowed_networks": ["127.0.0.0/8"], **webhooks}},
    )


def create_endpoint(client: httpx.Client, url: str, **members: object) -> dict[str, Any]:
    """A new endpoint, with its secret."""
    answer = client.post("/webhooks", json={"url": url, **members})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def deliveries_of(client: httpx.Client, endpoint_id: str, **query: str) -> list[dict[str, Any]]:
    """An endpoint's latest deliveries."""
    answer = client.get("/webhooks/deliveries", params={"endpoint_id": endpoint_id, "limit": 100, **query})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def until(ask: Callable[[], T], holds: Callable[[T], bool]) -> T:
    """What is answered, once that holds of it."""
    ends = time.monotonic() + PATIENCE
    while not holds(found := ask()):
        assert time.monotonic() < ends, found
        time.sleep(0.05)
    return found
