"""Every snippet of the Authentication page, with other hosts and keys in it and nothing else changed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
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

MORE_SHELL = r"""
# Create a new key
innoai keys create --name "Production V2"

# Update your application
# Verify new key works

# Revoke old key
innoai keys revoke sk-oldkey...
"""
ALLOWED_IPS = """
{
  "allowed_ips": [
    "203.0.113.0/24",      // Your office
    "10.0.0.0/8"           // Internal network
  ]
}
"""
PYTHON = """
from innoai import InnoAI

# API Key auth
client = InnoAI(api_key="your-api-key")

# Or with environment variable
import os
client = InnoAI(api_key=os.environ["INNOAI_API_KEY"])
"""
PHP = """\
<?php
use InnoAI\\Client;

$client = new Client([
    'api_key' => $_ENV['INNOAI_API_KEY'],
    'base_url' => 'https://ai-gateway.innoserver.cloud/v1'
]);
"""
RUBY = """
require 'innoai'

client = InnoAI::Client.new(
  api_key: ENV['INNOAI_API_KEY'],
  base_url: 'https://ai-gateway.innoserver.cloud/v1'
)
"""
KEY_FROM_ENVIRONMENT = """
// ✅ Good
const apiKey = process.env.INNOAI_API_KEY;
"""
THEN_ASK = {
    "python": """
print(client.auth.validate().key_id)
print(client.chat.completions.create(
    model="inno-ai-boyong-4.5", messages=[{"role": "user", "content": "Hello"}]
).choices[0].message.content)
""",
    "php": """
echo $client->auth->validate()->key_id, "\\n";
echo $client->chat->completions->create([
    'model' => 'inno-ai-boyong-4.5', 'messages' => [['role' => 'user', 'content' => 'Hello']],
])->choices[0]->message->content, "\\n";
""",
    "ruby": """
puts client.auth.validate.key_id
puts client.chat.completions.create(
  model: 'inno-ai-boyong-4.5', messages: [{ role: 'user', content: 'Hello' }]
).choices[0].message.content
""",
}
"""What the tests ask of the client that the page has made."""
SDKS = Path(__file__).parents[2] / "sdks"
PHP_LOADS = f"-dauto_prepend_file={SDKS / 'php' / 'autoload.php'}"

needs_curl = needs("curl")
needs_php = needs("php", "php-curl")
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


def asked(command: list[str], snippet: str, server: Server, key: str) -> list[str]:
    """What the program prints that is the page's snippet with two questions behind it."""
    ended = subprocess.run(
        command,
        input=filled_in(snippet, server, key),
        capture_output=True,
        text=True,
        env=clean_environment(INNOAI_API_KEY=key, INNOAI_BASE_URL=server.base_url),
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


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


@pytest.mark.parametrize(
    ("language", "command", "snippet"),
    [
        pytest.param("python", [sys.executable, "-"], PYTHON, id="python"),
        # Without a php.ini $_ENV is full; Debian's leaves it empty, and PHP warns of what the page does.
        pytest.param("php", ["php", "-n", "-dextension=curl", PHP_LOADS], PHP, id="php", marks=needs_php),
        pytest.param(
            "php",
            ["php", "-dvariables_order=GPCS", "-ddisplay_errors=0", PHP_LOADS],
            PHP,
            id="php with an empty $_ENV",
            marks=needs_php,
        ),
        pytest.param(
            "ruby", ["ruby", "-I", str(SDKS / "ruby" / "lib")], RUBY, id="ruby", marks=needs("ruby")
        ),
    ],
)
def test_the_pages_clients_of_other_languages_work(
    server: Server, admin: httpx.Client, language: str, command: list[str], snippet: str
) -> None:
    made = create_key(admin, f"For {language}")
    said = asked(command, snippet + THEN_ASK[language], server, made["key"])
    assert said == [made["id"], "word0 word1 word2 word3 word4 "]


@needs_node
def test_a_key_in_the_environment_is_what_the_page_takes(server: Server, key: str) -> None:
    said = asked(["node", "-"], KEY_FROM_ENVIRONMENT + "console.log(apiKey);", server, key)
    assert said == [key]


def test_the_pages_networks_are_those_of_a_key(admin: httpx.Client) -> None:
    body = json.loads(re.sub(r"//.*", "", ALLOWED_IPS))
    made = create_key(admin, "From two networks", **body)
    assert made["allowed_ips"] == ["203.0.113.0/24", "10.0.0.0/8"]


def test_the_pages_commands_rotate_a_key(server: Server, anyone: httpx.Client, admin: httpx.Client) -> None:
    old = create_key(admin, "Production V1")["key"]
    ended = subprocess.run(
        ["sh", "-e"],
        input=MORE_SHELL.replace("sk-oldkey...", old),
        capture_output=True,
        text=True,
        env=clean_environment(
            INNOAI_BASE_URL=server.base_url,
            INNOAI_API_KEY=server.admin_key,
            PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        ),
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    new = next(word for word in ended.stdout.split() if is_well_formed(word))
    refused(anyone.get("/auth/validate", headers=bearer(old)), "invalid_api_key")
    assert anyone.get("/auth/validate", headers=bearer(new)).json()["valid"] is True
