"""Blocks that no program runs: JSON and files of settings, each checked by whoever reads it in earnest."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import yaml  # type: ignore[import-untyped]

from innoai import config
from innoai.api.openapi import document
from innoai.errors import ERRORS
from innoai.events import catalogue
from tests.docs.shapes import without_comments
from tests.support.certificates import self_signed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.docs.blocks import Block
    from tests.docs.world import World

DOCUMENT = document()


def check_json(block: Block, world: World) -> None:
    """A body is sent, an answer has its operation's shape, a refusal is a row of the table; all are JSON."""
    value = json.loads(without_comments(block.text))
    told = block.directives
    if "body" in told:
        method, _, path = told["body"].partition(" ")
        answer = world.client.request(method, world.filled(path).removeprefix("/v1"), json=value)
        assert answer.is_success, f"{told['body']} answers {answer.status_code}: {answer.text}"
    elif "answer" in told:
        _validator(_answer_schema(told["answer"])).validate(value)
    elif isinstance(value, dict) and value.get("object") == "event":
        assert value.keys() == catalogue.example(value["type"]).keys()
        jsonschema_rs.validator_for(catalogue.schema(value["type"])).validate(value)
    elif isinstance(value, dict) and value.keys() == {"error"}:
        error = value["error"]
        kind = ERRORS[error["code"]]
        assert error["type"] == kind.type
        _validator({"$ref": "#/components/schemas/Error"}).validate(
            {"error": {"request_id": "req_0UySTdUKAbcdefghijklmn", **error}}
        )
    else:
        raise AssertionError(
            "say what this JSON is: <!-- body: POST /v1/… -->, <!-- answer: GET /v1/… -->, "
            "or put it right behind the block that prints it"
        )


def check_toml(block: Block, world: World) -> None:
    """innoai takes it as its settings."""
    file = world.directory / "innoai.toml"
    secrets = world.directory / "secrets"
    secrets.mkdir()
    (secrets / "models").write_text("sk-of-a-model-server", "utf-8")
    file.write_text(block.text.replace("/run/secrets", str(secrets)), "utf-8")
    named = re.findall(r"env:(\w+)", block.text)
    config.load(str(file), dict.fromkeys(named, "sk-of-a-model-server"))


def check_yaml(block: Block, _: World) -> None:
    """It is YAML, and says something."""
    assert yaml.safe_load(block.text)


def check_nginx(block: Block, world: World) -> None:
    """nginx takes it: a whole server, or lines of one."""
    text = block.text
    if "server {" not in text:
        text = f"server {{ listen 127.0.0.1:8081;\n{text}\n}}"
    pid, log = world.directory / "nginx.pid", world.directory / "error.log"
    for stated in re.findall(r"ssl_certificate (\S+);", text):
        certificate = self_signed(world.directory, Path(stated).stem)
        text = text.replace(stated, str(certificate))
    text = re.sub(r"ssl_certificate_key \S+/", f"ssl_certificate_key {world.directory}/", text)
    whole = f"pid {pid};\nerror_log {log};\nevents {{}}\nhttp {{ access_log off;\n{text}\n}}\n"
    file = world.directory / "nginx.conf"
    file.write_text(whole, "utf-8")
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    _taken([nginx, "-t", "-p", str(world.directory), "-c", str(file), "-e", str(log)], world)


def check_caddyfile(block: Block, world: World) -> None:
    """Caddy takes it."""
    file = world.directory / "Caddyfile"
    file.write_text(block.text, "utf-8")
    _taken(["caddy", "validate", "--config", str(file), "--adapter", "caddyfile"], world)


def check_ini(block: Block, world: World) -> None:
    """It is a systemd unit, which systemd reads without a complaint where it is installed."""
    assert re.search(r"^\[(Unit|Service|Timer)\]$", block.text, re.MULTILINE)
    if shutil.which("systemd-analyze"):
        file = world.directory / "innoai.service"
        file.write_text(
            re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", block.text, flags=re.MULTILINE), "utf-8"
        )
        _taken(["systemd-analyze", "verify", str(file)], world)


def _taken(command: list[str], world: World) -> None:
    ended = subprocess.run(
        command,
        cwd=world.directory,
        env=world.whole_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def _validator(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def _answer_schema(operation: str) -> dict[str, Any]:
    """The schema of what an operation answers when it does what it was asked."""
    method, _, path = operation.partition(" ")
    responses = DOCUMENT["paths"][path][method.lower()]["responses"]
    answer = next(said for status, said in responses.items() if status.startswith("2"))
    schema: dict[str, Any] = next(iter(answer["content"].values()))["schema"]
    return schema


CHECKS: Mapping[str, Callable[[Block, World], None]] = {
    "json": check_json,
    "toml": check_toml,
    "yaml": check_yaml,
    "nginx": check_nginx,
    "caddyfile": check_caddyfile,
    "ini": check_ini,
}
"""Who checks the blocks of a language."""
