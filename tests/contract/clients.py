"""The few calls that most contract tests begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.server import MODEL

if TYPE_CHECKING:
    import httpx

HELLO: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "Hello there"}]}


def bearer(credential: str) -> dict[str, str]:
    """The header that presents it."""
    return {"authorization": f"Bearer {credential}"}


def create_key(admin: httpx.Client, name: str = "A test's key", **members: object) -> dict[str, Any]:
    """A new key, with its secret as `key`."""
    answer = admin.post("/keys", json={"name": name, **members})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def mint(client: httpx.Client, key: str, **members: object) -> dict[str, Any]:
    """A new pair of tokens from the key."""
    answer = client.post("/auth/token", json=members, headers=bearer(key))
    assert answer.status_code == 200, answer.text
    pair: dict[str, Any] = answer.json()
    return pair
