"""Ready code in five languages that makes the first call at this server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from innoai.access.scopes import (
    BILLING_READ,
    CUSTOMERS_READ,
    INFERENCE_READ,
    INFERENCE_WRITE,
    WEBHOOKS_READ,
    grants,
)

if TYPE_CHECKING:
    from collections.abc import Collection

PLACEHOLDER = "YOUR_API_KEY"


class Snippet(NamedTuple):
    """A language by its name, an id for the page, and the code."""

    id: str
    language: str
    code: str


_READING = (
    (INFERENCE_READ, "/models"),
    (CUSTOMERS_READ, "/customers"),
    (BILLING_READ, "/billing/summary"),
    (WEBHOOKS_READ, "/webhooks"),
)
"""What may be read first, by the scope that it takes."""


def first_call(base_url: str, key: str, model: str, scopes: Collection[str]) -> tuple[Snippet, ...]:
    """A call that a key with these scopes may make: a chat, or else something to be read."""
    held = frozenset(scopes)
    if grants(held, INFERENCE_WRITE):
        return snippets(base_url, key, model)
    path = next((path for scope, path in _READING if grants(held, scope)), "/auth/validate")
    return (Snippet("curl", "curl", f'curl {base_url}{path} \\\n  -H "Authorization: Bearer {key}"'),)


def snippets(base_url: str, key: str, model: str) -> tuple[Snippet, ...]:
    """The first call in each language; `base_url` with its /v1."""
    body = json.dumps(
        {"model": model, "messages": [{"role": "user", "content": "Hello"}]}, ensure_ascii=False
    ).replace("'", "\\u0027")
    name = json.dumps(model, ensure_ascii=False)
    single = "'" + model.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return (
        Snippet(
            "curl",
            "curl",
            f"curl {base_url}/chat/completions \\\n"
            f'  -H "Authorization: Bearer {key}" \\\n'
            '  -H "Content-Type: application/json" \\\n'
            f"  -d '{body}'",
        ),
        Snippet(
            "javascript",
            "JavaScript",
            "import OpenAI from 'openai';\n\n"
            "const client = new OpenAI({\n"
            f"  baseURL: '{base_url}',\n"
            f"  apiKey: '{key}',\n"
            "});\n"
            "const answer = await client.chat.completions.create({\n"
            f"  model: {name},\n"
            "  messages: [{ role: 'user', content: 'Hello' }],\n"
            "});\n"
            "console.log(answer.choices[0].message.content);",
        ),
        Snippet(
            "python",
            "Python",
            "from innoai import InnoAI\n\n"
            f'client = InnoAI(api_key="{key}", base_url="{base_url}")\n'
            "answer = client.chat.completions.create(\n"
            f"    model={name},\n"
            '    messages=[{"role": "user", "content": "Hello"}],\n'
            ")\n"
            "print(answer.choices[0].message.content)",
        ),
        Snippet(
            "php",
            "PHP",
            "<?php\nrequire 'vendor/autoload.php';\n\nuse InnoAI\\Client;\n\n"
            "$client = new Client([\n"
            f"    'api_key' => '{key}',\n"
            f"    'base_url' => '{base_url}',\n"
            "]);\n"
            "$answer = $client->chat->completions->create([\n"
            f"    'model' => {single},\n"
            "    'messages' => [['role' => 'user', 'content' => 'Hello']],\n"
            "]);\n"
            "echo $answer->choices[0]->message->content;",
        ),
        Snippet(
            "ruby",
            "Ruby",
            "require 'innoai'\n\n"
            "client = InnoAI::Client.new(\n"
            f"  api_key: '{key}',\n"
            f"  base_url: '{base_url}'\n"
            ")\n"
            "answer = client.chat.completions.create(\n"
            f"  model: {single},\n"
            "  messages: [{ role: 'user', content: 'Hello' }]\n"
            ")\n"
            "puts answer.choices[0].message.content",
        ),
    )
