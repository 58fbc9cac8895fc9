"""Every snippet of the Authentication page, with other hosts and keys in it and nothing else changed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from innoai.access.keys import is_well_formed
from tests.contract.clients import bearer, create_key, mint
from tests.support.envelope import refused
from tests.support.server import MODEL, clean_environment
from tests.support.tools import needs

if TYPE_CHECKING:
    import httpx

    from tests.support.forger import Forger
    from tests.support.server import Server

HOSTS = ("https://ai-gateway.innoserver.cloud", "https://api.innoai.ph")
PLACEHOLDERS = ("YOUR_API_KEY", "your-api-key", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...")
NODE = Path(__file__).parent / "node"

COMPLETION = r"""
curl https://ai-gateway.innoserver.cloud/v1/chat/completions \
  -H "Authorization: Bearer YOUR_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{"model":"inno-ai-boyong-4.5","messages":[{"role":"user","content":"Hello"}]}'
"""
TOKEN = r"""
curl -X POST https://api.innoai.ph/v1/auth/token \
  -H "Content-Type: application/json" \
  -d '{
    "api_key": "your-api-key",
    "customer_id": "customer-123"
  }'
"""
COMPLETION_WITH_TOKEN = r"""
curl https://ai-gateway.innoserver.cloud/v1/chat/completions \
  -H "Authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..." \
  -H "Content-Type: application/json" \
  -d '{"model":"inno-ai-boyong-4.5","messages":[{"role":"user","content":"Hello"}]}'
"""
VALIDATE = r"""
curl https://api.innoai.ph/v1/auth/validate \
  -H "Authorization: Bearer YOUR_API_KEY"
"""
NEW_KEY = """
{
  "name": "Production Backend",
  "scopes": [
    "inference:read",
    "inference:write",
    "billing:read",
    "customers:read"
  ],
  "allowed_ips": ["192.168.1.0/24", "10.0.0.0/8"],
  "rate_limit": 1000
}
"""

needs_curl = needs("curl")
needs_node = needs("node", NODE / "node_modules")


def filled_in(snippet: str, server: Server, credential: str) -> str:
    for host in HOSTS:
        snippet = snippet.replace(host, server.origin)
    for placeholder in PLACEHOLDERS:
        snippet = snippet.replace(placeholder, credential)
    return snippet


def shell(snippet: str, server: Server, credential: str) -> Any:
    command = filled_in(snippet, server, credential).strip() + " --silent --show-error --fail-with-body"
    ended = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, env=clean_environment(), check=True
    )
    return json.loads(ended.stdout)


def node(script: str, server: Server, credential: str, *arguments: str) -> Any:
    program = filled_in((NODE / script).read_text("utf-8"), server, credential)
    ended = subprocess.run(
        ["node", "--input-type=module", "-", *arguments],
        input=program,
        capture_output=True,
        text=True,
        cwd=NODE,
        env={"PATH": os.environ["PATH"], "NO_COLOR": "1"},
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture
def key(admin: httpx.Client) -> str:
    return create_key(admin, "A key like the page's")["key"]


@needs_curl
def test_curl_gets_a_completion_with_a_key(server: Server, key: str) -> None:
    answer = shell(COMPLETION, server, key)
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"]
    assert answer["usage"]["prompt_tokens"] == 1


@needs_curl
def test_curl_gets_a_token_with_exactly_the_pages_members(server: Server, key: str) -> None:
    token = shell(TOKEN, server, key)
    assert set(token) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 3600)
    assert token["access_token"].startswith("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVC")
    assert token["refresh_token"].startswith("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVC")


@needs_curl
def test_curl_gets_a_completion_with_that_token(server: Server, key: str) -> None:
    token = shell(TOKEN, server, key)["access_token"]
    assert shell(COMPLETION_WITH_TOKEN, server, token)["object"] == "chat.completion"


@needs_curl
def test_curl_validates_a_key_with_exactly_the_pages_members(server: Server, admin: httpx.Client) -> None:
    made = create_key(admin, "Validated", rate_limit=1000)
    answer = shell(VALIDATE, server, made["key"])
    assert answer == {
        "valid": True,
        "key_id": made["id"],
        "scopes": ["inference:read", "inference:write"],
        "rate_limit": 1000,
        "tier": "enterprise",
    }


def test_the_pages_key_is_created_from_the_pages_body(admin: httpx.Client) -> None:
    answer = admin.post("/keys", content=NEW_KEY, headers={"content-type": "application/json"})
    assert answer.status_code == 201
    made = answer.json()
    assert is_well_formed(made["key"])
    assert made["name"] == "Production Backend"
    assert set(made["scopes"]) == {"inference:read", "inference:write", "billing:read", "customers:read"}
    assert made["allowed_ips"] == ["192.168.1.0/24", "10.0.0.0/8"]
    assert made["rate_limit"] == 1000


def test_a_key_is_shown_only_once(admin: httpx.Client) -> None:
    made = create_key(admin, "Shown once")
    assert made["key"] not in admin.get(f"/keys/{made['id']}").text
    assert made["key"] not in admin.get("/keys", params={"limit": 100}).text


@needs_node
def test_openais_client_in_node_works_with_a_key(server: Server, key: str) -> None:
    said = node("openai.mjs", server, key)
    text = "word0 word1 word2 word3 word4 "
    assert said["whole"]["choices"][0]["message"]["content"] == text
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in said["chunks"]) == text
    assert said["counted"][-1]["choices"] == []
    assert said["counted"][-1]["usage"]["completion_tokens"] == 5
    assert len(said["counted"]) == len(said["chunks"]) + 1
    assert said["models"] == [MODEL]


@needs_node
def test_openais_client_in_node_works_with_a_customers_token(server: Server, admin: httpx.Client) -> None:
    said = node("customer.mjs", server, server.admin_key)
    assert said["token"]["expires_in"] == 3600
    assert said["whole"]["choices"][0]["message"]["content"] == said["streamed"] != ""
    assert admin.get("/customers/customer-123").status_code == 200


@needs_node
def test_the_pages_interceptor_refreshes_twice_in_a_row_with_one_refresh_token(
    server: Server, anyone: httpx.Client, key: str, forger: Forger
) -> None:
    pair = mint(anyone, key)
    dead = forger.expired(pair["access_token"])
    said = node("interceptor.mjs", server, key, dead, pair["refresh_token"], dead)
    assert [answer["status"] for answer in said["answers"]] == [200, 200]
    tokens = {answer["used"].removeprefix("Bearer ") for answer in said["answers"]} | {said["refreshed"]}
    assert len(tokens) == 3
    for token in tokens:
        assert anyone.get("/auth/validate", headers=bearer(token)).json()["valid"] is True


@needs_node
def test_the_pages_interceptor_refreshes_a_revoked_and_a_broken_token(
    server: Server, anyone: httpx.Client, key: str
) -> None:
    pair = mint(anyone, key)
    revoked = pair["access_token"]
    assert anyone.post("/auth/revoke", json={"token": revoked}).status_code == 200
    broken = revoked[:-2]
    said = node("interceptor.mjs", server, key, revoked, pair["refresh_token"], broken)
    assert [answer["status"] for answer in said["answers"]] == [200, 200]


def test_an_invalid_key_gets_the_pages_error(anyone: httpx.Client) -> None:
    error = refused(anyone.get("/auth/validate", headers=bearer("sk-abc123...")), "invalid_api_key")
    del error["request_id"]
    assert error == {
        "code": "invalid_api_key",
        "message": "The provided API key is invalid or has been revoked.",
        "type": "authentication_error",
    }


def test_a_missing_scope_gets_the_pages_error(anyone: httpx.Client, key: str) -> None:
    answer = anyone.post("/customers", json={"customer_id": "never"}, headers=bearer(key))
    error = refused(answer, "insufficient_permissions")
    del error["request_id"]
    assert error == {
        "code": "insufficient_permissions",
        "message": "Your API key does not have permission to perform this action.",
        "type": "authorization_error",
        "required_scope": "customers:write",
    }


@pytest.mark.parametrize("path", ["/chat/completions", "/auth/token"])
def test_an_exceeded_rate_limit_gets_the_pages_error(
    anyone: httpx.Client, admin: httpx.Client, path: str
) -> None:
    limited = create_key(admin, "One a minute", rate_limit=1)["key"]
    body = {"model": MODEL, "messages": []} if path == "/chat/completions" else {}
    assert anyone.post(path, json=body, headers=bearer(limited)).status_code == 200
    answer = anyone.post(path, json=body, headers=bearer(limited))
    error = refused(answer, "rate_limit_exceeded")
    retry_after = error.pop("retry_after")
    assert 1 <= retry_after <= 60
    assert answer.headers["retry-after"] == str(retry_after)
    assert answer.headers["x-ratelimit-limit-requests"] == "1"
    assert answer.headers["x-ratelimit-remaining-requests"] == "0"
    del error["request_id"]
    assert error == {
        "code": "rate_limit_exceeded",
        "message": "Rate limit exceeded. Please try again later.",
        "type": "rate_limit_error",
    }


def test_the_pages_commands_rotate_a_key(server: Server, anyone: httpx.Client, admin: httpx.Client) -> None:
    old = create_key(admin, "Production V1")["key"]
    created = server.cli("keys", "create", "--name", "Production V2")
    assert created.returncode == 0
    new = next(word for word in created.stdout.split() if is_well_formed(word))
    assert anyone.get("/auth/validate", headers=bearer(new)).json()["valid"] is True
    assert server.cli("keys", "revoke", old).returncode == 0
    refused(anyone.get("/auth/validate", headers=bearer(old)), "invalid_api_key")
    assert anyone.get("/auth/validate", headers=bearer(new)).json()["valid"] is True
