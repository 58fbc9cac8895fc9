"""`pip install innoai` without the extra `server`: every remote command works, and starts light."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from innoai.api.operations import OPERATIONS
from innoai.cli.main import app
from tests.cli.answers import (
    ACCESS_TOKEN,
    CUSTOMER,
    EXPLANATION,
    KEY,
    MATRIX,
    NEW_KEY,
    TOKEN,
    VALIDATION,
    page,
)
from tests.cli.peer import Answer
from tests.support.samples import (
    CSV,
    DELIVERED,
    DELIVERY,
    ENDPOINT,
    EVENT_TYPE,
    INVITED,
    MEMBER,
    NEW_ENDPOINT,
    SETTINGS,
    STATEMENT,
    SUMMARY,
    USAGE_RECORD,
    WHOLE_STATEMENT,
    audit_log,
    jsonl,
)

if TYPE_CHECKING:
    from tests.cli.peer import Peer

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
IMPORTED_AS = {"prometheus-client": "prometheus_client", "swagger-ui-bundle-v2": "swagger_ui_bundle"}
LOG = audit_log(2)
HEAD = {"sequence": 2, "hash": LOG[1]["hash"]}
ENTRIES = Answer(200, {**page(LOG[1]), "head": HEAD})
EXPORT = Answer(200, jsonl(LOG), {"content-type": "application/jsonl"})
AS_CSV = {"content-type": "text/csv"}
REFUSED = {"error": {"code": "invalid_api_key", "message": "Gone.", "type": "t"}}

WITHOUT_KEYS = Path(__file__).with_name("litellm_without_keys.json")


def example(method: str, path: str) -> Answer:
    """The answer that the OpenAPI document shows for an operation."""
    operation = next(each for each in OPERATIONS if (each.method, each.path) == (method, path))
    assert operation.answer is not None
    return Answer(operation.status, operation.answer.example)


COMMANDS: list[tuple[str, str, list[Answer]]] = [
    ("validate", "GET /auth/validate", [Answer(200, VALIDATION)]),
    ("explain --key key_1 --route GET_/v1/models", "POST /auth/explain", [Answer(200, EXPLANATION)]),
    ("tiers", "GET /tiers", [Answer(200, MATRIX)]),
    ("tokens create", "POST /auth/token", [Answer(200, TOKEN)]),
    ("tokens refresh t", "POST /auth/refresh", [Answer(200, TOKEN)]),
    (f"tokens revoke {ACCESS_TOKEN}", "POST /auth/revoke", [Answer(200, {})]),
    ("tokens inspect t", "POST /auth/introspect", [Answer(200, {"active": False})]),
    ("keys create --name n", "POST /keys", [Answer(201, NEW_KEY)]),
    ("keys list", "GET /keys", [Answer(200, page(KEY))]),
    ("keys show key_1", "GET /keys/key_1", [Answer(200, KEY)]),
    ("keys update key_1 --name n", "PATCH /keys/key_1", [Answer(200, KEY)]),
    ("keys rotate key_1", "POST /keys/key_1/rotate", [Answer(201, NEW_KEY)]),
    ("keys revoke key_1", "DELETE /keys/key_1", [Answer(204)]),
    ("keys leaked /dev/null", "POST /keys/leaks", [example("POST", "/v1/keys/leaks")]),
    (
        "keys activity key_1",
        "GET /keys/key_1/activity",
        [example("GET", "/v1/keys/{key_id}/activity")],
    ),
    ("keys advice key_1", "GET /keys/key_1/advice", [example("GET", "/v1/keys/{key_id}/advice")]),
    (
        "keys preview key_1 --rate-limit 5",
        "POST /keys/key_1/preview",
        [example("POST", "/v1/keys/{key_id}/preview")],
    ),
    ("requests refusals", "GET /requests/refusals", [example("GET", "/v1/requests/refusals")]),
    ("requests tail", "GET /requests/stream", [Answer(401, REFUSED)]),
    (f"import litellm {WITHOUT_KEYS} --dry-run", "GET /keys", [Answer(200, page(KEY))]),
    ("customers create c", "POST /customers", [Answer(201, CUSTOMER)]),
    ("customers list", "GET /customers", [Answer(200, page(CUSTOMER))]),
    ("customers show c", "GET /customers/c", [Answer(200, CUSTOMER)]),
    ("customers update c --name n", "PATCH /customers/c", [Answer(200, CUSTOMER)]),
    ("customers disable c", "PATCH /customers/c", [Answer(200, CUSTOMER)]),
    ("customers enable c", "PATCH /customers/c", [Answer(200, CUSTOMER)]),
    ("customers delete c", "DELETE /customers/c", [Answer(204)]),
    ("members invite a@b.example", "POST /members", [Answer(201, INVITED)]),
    ("members list", "GET /members", [Answer(200, page(MEMBER))]),
    ("members show mem_1", "GET /members/mem_1", [Answer(200, MEMBER)]),
    ("members set-role mem_1 owner", "PATCH /members/mem_1", [Answer(200, MEMBER)]),
    ("members rename mem_1 Ana", "PATCH /members/mem_1", [Answer(200, MEMBER)]),
    ("members remove mem_1", "DELETE /members/mem_1", [Answer(204)]),
    ("billing usage", "GET /billing/usage", [Answer(200, page(USAGE_RECORD))]),
    ("billing usage --csv -", "GET /billing/usage", [Answer(200, CSV, AS_CSV)]),
    ("billing top", "GET /billing/top", [example("GET", "/v1/billing/top")]),
    ("billing summary", "GET /billing/summary", [Answer(200, SUMMARY)]),
    ("billing settings", "GET /billing/settings", [Answer(200, SETTINGS)]),
    ("billing set --budget-total 5", "PATCH /billing/settings", [Answer(200, SETTINGS)]),
    ("billing statements", "GET /billing/statements", [Answer(200, page(STATEMENT))]),
    ("billing statement 2026-10 c", "GET /billing/statements/2026-10/c", [Answer(200, WHOLE_STATEMENT)]),
    ("webhooks create https://x", "POST /webhooks", [Answer(201, NEW_ENDPOINT)]),
    ("webhooks list", "GET /webhooks", [Answer(200, page(ENDPOINT))]),
    ("webhooks show whe_1", "GET /webhooks/whe_1", [Answer(200, ENDPOINT)]),
    ("webhooks update whe_1 --enable", "PATCH /webhooks/whe_1", [Answer(200, ENDPOINT)]),
    ("webhooks delete whe_1", "DELETE /webhooks/whe_1", [Answer(204)]),
    ("webhooks rotate-secret whe_1", "POST /webhooks/whe_1/rotate-secret", [Answer(200, NEW_ENDPOINT)]),
    ("webhooks test whe_1 --wait 0", "POST /webhooks/whe_1/test", [Answer(202, DELIVERY)]),
    ("webhooks deliveries", "GET /webhooks/deliveries", [Answer(200, page(DELIVERY))]),
    ("webhooks delivery dlv_1", "GET /webhooks/deliveries/dlv_1", [Answer(200, DELIVERED)]),
    ("webhooks replay dlv_1", "POST /webhooks/deliveries/dlv_1/replay", [Answer(202, DELIVERY)]),
    ("webhooks event-types", "GET /webhooks/event-types", [Answer(200, page(EVENT_TYPE))]),
    ("webhooks listen --forward-to http://127.0.0.1:1/", "GET /webhooks/stream", [Answer(401, REFUSED)]),
    ("audit list", "GET /audit", [ENTRIES]),
    ("audit export", "GET /audit", [EXPORT]),
    ("audit verify", "GET /audit", [ENTRIES, EXPORT]),
]


def servers_modules() -> list[str]:
    """The packages of the extra `server`, as they are imported."""
    extra = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]["server"]
    names = [re.split(r"[\[<>=;]", requirement)[0] for requirement in extra]
    return [IMPORTED_AS.get(name, name.replace("-", "_")) for name in names]


def test_remote_commands_need_nothing_of_the_server(peer: Peer, environment: dict[str, str]) -> None:
    in_turn: dict[str, list[Answer]] = defaultdict(list)
    for _, route, answers in COMMANDS:
        in_turn[route] += answers
    in_turn["GET /webhooks/deliveries/dlv_1"] = [Answer(200, DELIVERED)]
    for route, answers in in_turn.items():
        peer.answer_in_turn(route, *answers)
    commands = [[word.replace("_/", " /") for word in command.split()] for command, _, _ in COMMANDS]
    code = (
        f"import sys\nfor name in {servers_modules()!r}: sys.modules[name] = None\n"
        f"from innoai.cli.main import run\nprint([int(run(command)) for command in {commands!r}])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    codes = json.loads(ended.stdout.splitlines()[-1])
    expected = {command: 3 if answers[0].status == 401 else 0 for command, _, answers in COMMANDS}
    assert dict(zip(expected, codes, strict=True)) == expected, ended.stderr


def test_every_remote_command_is_in_the_table() -> None:
    local = {"init", "serve", "doctor", "rotate-signing-key", "accounts", "version"}
    root: Any = typer.main.get_command(app)
    there = set()
    for name, command in root.commands.items():
        there |= {f"{name} {below} " for below in getattr(command, "commands", ())} or {f"{name} "}
    tried = tuple(f"{command} " for command, _, _ in COMMANDS)
    untried = {name for name in there if not any(command.startswith(name) for command in tried)}
    assert {name.split()[0] for name in untried} == local


def test_the_command_line_itself_loads_no_http_client() -> None:
    code = (
        "import sys, innoai.cli.main\n"
        "print([name for name in ('openai', 'httpx2', 'pydantic', 'msgspec') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "[]\n"
