"""The world that a snippet runs in: an account of its own at a real server, and what pages' names stand for.

The documents write addresses, keys and ids that are nobody's. Each stands for a real one here, made when a
snippet first names it; nothing else of a snippet is changed.
"""

from __future__ import annotations

import re
import sys
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from innoai import tenants
from innoai.config import load
from tests.contract.clients import bearer, create_key, mint
from tests.support.receiver import Receiver
from tests.support.server import MODEL, clean_environment
from tests.support.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.support.server import Server

ROOT = Path(__file__).resolve().parents[2]
NODE_PACKAGES = ROOT / "tests" / "contract" / "node" / "node_modules"
PACKAGES = ("openai", "axios", "express")
COMPILER = ROOT / "sdks" / "js" / "node_modules" / ".bin" / "tsc"
CURLRC = 'silent\nshow-error\nwrite-out = "%{stderr}[HTTP %{http_code}]\\n"\n'
"""What curl is told beside what the snippet says: to write each status to stderr."""

COMPOSERS = "<?php require_once __DIR__ . '/innoai/innoai/autoload.php';\n"
"""What loads the package where Composer has installed it."""

SETTINGS = settings(
    {MODEL: [{"base_url": "echo:"}]},
    {
        "billing": {"rates": {"EUR": 0.86, "PHP": 58.72}},
        "webhooks": {"allowed_networks": ["127.0.0.0/8"]},
    },
)
"""As `make serve` has it, but that webhooks may go to this machine and accounts may choose a currency."""


class Account:
    """An account that the snippets of one chain have for themselves."""

    def __init__(self, server: Server) -> None:
        environment = {
            "INNOAI_STORE_URL": f"sqlite:///{server.store}",
            "INNOAI_STORE_SECRET_FILE": str(server.directory / "innoai.secret"),
        }
        installation = load(str(server.directory / "innoai.toml"), environment)
        record, self.key = tenants.create(installation, "A reader's account", "enterprise")
        self.id = record.id
        self.client = httpx.Client(base_url=server.base_url, headers=bearer(self.key), timeout=30)


class World:
    """What one chain of snippets finds: a directory, an account, and values for its page's names."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.server = server
        self.directory = directory
        self.variables: dict[str, Any] = {}
        """What the givens of the chain define, by the names that the snippets use."""
        self.environment: dict[str, str] = {}
        self._open = ExitStack()
        self._known: dict[str, str] = {}
        self._lay_out()

    def close(self) -> None:
        self._open.close()

    @cached_property
    def account(self) -> Account:
        account = Account(self.server)
        self._open.callback(account.client.close)
        return account

    @cached_property
    def client(self) -> httpx.Client:
        """A client with the account's first key."""
        return self.account.client

    @cached_property
    def receiver(self) -> Receiver:
        """Somebody who takes webhooks."""
        return self._open.enter_context(Receiver().running())

    def whole_environment(self) -> dict[str, str]:
        """What the snippet's process is told, and nothing else of this one's environment."""
        inherited = clean_environment()
        return {
            **inherited,
            "HOME": str(self.directory),
            "PATH": f"{Path(sys.executable).parent}:{inherited['PATH']}",
            "NO_COLOR": "1",
            "COLUMNS": "200",
            "INNOAI_API_KEY": self.account.key,
            "INNOAI_BASE_URL": self.server.base_url,
            **self.environment,
        }

    def filled(self, text: str) -> str:
        """The snippet with this world's values for the documents' names."""
        for pattern, made in NAMES.items():
            text = re.sub(pattern, lambda found, made=made: self._value(found[0], made), text)  # type: ignore[misc]
        return text

    def _value(self, name: str, made: Callable[[World], str]) -> str:
        if name not in self._known:
            self._known[name] = made(self)
        return self._known[name]

    def _lay_out(self) -> None:
        """The working directory: as a checkout's, in so far as snippets can tell."""
        (self.directory / ".curlrc").write_text(CURLRC, "utf-8")
        (self.directory / ".venv").symlink_to(Path(sys.executable).parents[1])
        (self.directory / "docs").symlink_to(ROOT / "docs")
        (self.directory / "deploy").symlink_to(ROOT / "deploy")
        composer = self.directory / "vendor" / "innoai"
        composer.mkdir(parents=True)
        (composer / "innoai").symlink_to(ROOT / "sdks" / "php")
        (self.directory / "vendor" / "autoload.php").write_text(COMPOSERS, "utf-8")
        packages = self.directory / "node_modules"
        packages.mkdir()
        for package in PACKAGES:
            (packages / package).symlink_to(NODE_PACKAGES / package)
        (packages / "innoai").symlink_to(ROOT / "sdks" / "js")


def _endpoint(world: World) -> str:
    """The id of an endpoint whose receiver takes everything, and that a delivery has reached."""
    body = {"url": world.receiver.url("/ok"), "event_types": ["*"]}
    endpoint: str = world.client.post("/webhooks", json=body).json()["id"]
    world.client.post(f"/webhooks/{endpoint}/test").raise_for_status()
    world.receiver.wait_for("/ok", lambda came: any(endpoint.encode() in each.body for each in came))
    return endpoint


def _delivery(world: World) -> str:
    endpoint = _endpoint(world)
    page = world.client.get("/webhooks/deliveries", params={"endpoint_id": endpoint}).json()
    delivery: str = page["data"][0]["id"]
    return delivery


def _head(world: World) -> str:
    """The audit log's end, as `innoai audit verify` prints it."""
    head = world.client.get("/audit").json()["head"]
    return f"{head['sequence']}:{head['hash']}"


NAMES: Mapping[str, Callable[[World], str]] = {
    r"https://(?:ai-gateway\.innoserver\.cloud|api\.innoai\.ph|gateway\.example\.com)": lambda w: (
        w.server.origin
    ),
    r"http://(?:127\.0\.0\.1|localhost):8080": lambda w: w.server.origin,
    r"http://127\.0\.0\.1:3000/webhooks": lambda w: w.receiver.url("/ok"),
    r"https://example\.com/webhooks": lambda w: w.receiver.url("/ok"),
    r"YOUR_API_KEY|your-api-key|sk-inno-…(?!\w)": lambda w: w.account.key,
    r"sk-(?:inno-)?old(?:key)?(?:…|\.\.\.)": lambda w: create_key(w.client, "An old key")["key"],
    r"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9\.\.\.|YOUR_TOKEN": lambda w: mint(w.client, w.account.key)[
        "access_token"
    ],
    r"YOUR_REFRESH_TOKEN": lambda w: mint(w.client, w.account.key)["refresh_token"],
    r"\bkey_(?:…|abc123)": lambda w: create_key(w.client, "Another key", allowed_ips=["10.0.0.0/8"])["id"],
    r"\bacc_…": lambda w: w.account.id,
    r"\bwhe_(?:…|abc123)": _endpoint,
    r"\bdlv_(?:…|abc123)": _delivery,
    r"\b41:9f2c…": _head,
}
"""What the documents write, as patterns, and what that stands for."""

NODE_MODULE = re.compile(r"(?:from|import|require\()\s*'([a-z][\w-]*)[/']")
BUILT_SDK = ROOT / "sdks" / "js" / "dist"
TOOLS: Mapping[str, tuple[str, ...]] = {
    "bash": ("bash", "curl"),
    "javascript": ("node",),
    "typescript": ("node",),
    "php": ("php", "php-curl"),
    "ruby": ("ruby",),
    "nginx": ("nginx",),
    "caddyfile": ("caddy",),
}
"""What has to be installed for a language."""


def needed_by(language: str, text: str) -> Iterator[str | Path]:
    """The tools that a snippet needs, as tests/support/tools.py finds them."""
    yield from TOOLS.get(language, ())
    if language in ("javascript", "typescript"):
        for package in NODE_MODULE.findall(text):
            if package == "innoai":
                yield BUILT_SDK
            elif package in PACKAGES:
                yield NODE_PACKAGES / package
    if language == "typescript":
        yield COMPILER
