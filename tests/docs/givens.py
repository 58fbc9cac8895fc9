"""What snippets say that they find, `<!-- given: a customer -->`; each makes it real in a snippet's world."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from tests.contract.clients import HELLO, create_key, mint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.docs.world import World


def _customer(world: World) -> None:
    world.client.post("/customers", json={"customer_id": "customer-123", "name": "Acme"}).raise_for_status()


def _requests(world: World) -> None:
    """Usage of two customers and the account itself, in the store."""
    for customer in ("customer-123", "customer-456"):
        token = mint(world.client, world.account.key, customer_id=customer)["access_token"]
        headers = {"authorization": f"Bearer {token}"}
        world.client.post("/chat/completions", json=HELLO, headers=headers).raise_for_status()


def _tokens(world: World) -> None:
    pair = mint(world.client, world.account.key)
    world.environment |= {"ACCESS_TOKEN": pair["access_token"], "REFRESH_TOKEN": pair["refresh_token"]}


def _revoked_token(world: World) -> None:
    """An access token that is refused, with a refresh token that is good."""
    pair = mint(world.client, world.account.key)
    world.client.post("/auth/revoke", json={"token": pair["access_token"]}).raise_for_status()
    world.environment |= {"ACCESS_TOKEN": pair["access_token"], "REFRESH_TOKEN": pair["refresh_token"]}


def _delivery(world: World) -> None:
    """A delivery as it came: `body`, `headers` and `secret`."""
    answer = world.client.post("/webhooks", json={"url": world.receiver.url("/ok")}).json()
    world.client.post(f"/webhooks/{answer['id']}/test").raise_for_status()
    (came,) = world.receiver.wait_for("/ok", bool)
    world.variables |= {"body": came.body.decode(), "headers": came.headers, "secret": answer["secret"]}


def _narrow_key(world: World) -> None:
    """INNOAI_API_KEY is a key that may use inference alone, and from anywhere."""
    world.environment["INNOAI_API_KEY"] = create_key(world.client, "A narrow key")["key"]


def _slow_key(world: World) -> None:
    """INNOAI_API_KEY is a key with one request a minute, which is spent."""
    key = create_key(world.client, "A slow key", rate_limit=1)["key"]
    world.environment["INNOAI_API_KEY"] = key
    world.client.get("/models", headers={"authorization": f"Bearer {key}"}).raise_for_status()


def _installation(world: World) -> None:
    """The working directory is that of the server itself, with its secret and its settings."""
    for name in ("innoai.toml", "innoai.secret", "innoai.db"):
        (world.directory / name).symlink_to(world.server.directory / name)


def _audit_file(world: World) -> None:
    answer = world.client.get("/audit", params={"format": "jsonl"})
    (world.directory / "log.jsonl").write_bytes(answer.raise_for_status().content)


def _litellm_export(world: World) -> None:
    """litellm-keys.json, as LiteLLM lists keys."""
    key = {
        "token": hashlib.sha256(b"sk-litellm-example").hexdigest(),
        "key_name": "sk-...aB3d",
        "key_alias": "production-backend",
        "spend": 12.5,
        "max_budget": 100.0,
        "budget_duration": "30d",
        "expires": None,
        "models": ["inno-ai-boyong-4.5"],
        "rpm_limit": 600,
        "tpm_limit": 100_000,
        "blocked": None,
        "metadata": {},
    }
    whole = {"keys": [key], "total_count": 1, "current_page": 1, "total_pages": 1}
    (world.directory / "litellm-keys.json").write_text(json.dumps(whole), "utf-8")


GIVENS: Mapping[str, Callable[[World], None]] = {
    "a customer": _customer,
    "requests": _requests,
    "tokens": _tokens,
    "a revoked token": _revoked_token,
    "a delivery": _delivery,
    "a narrow key": _narrow_key,
    "a slow key": _slow_key,
    "an installation": _installation,
    "an exported audit log": _audit_file,
    "an export of LiteLLM": _litellm_export,
}
"""Everything that may be given, by its name."""
