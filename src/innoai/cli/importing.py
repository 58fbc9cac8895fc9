"""`innoai import …`: bring keys and customers over from another gateway.

A key of another gateway cannot be copied, since nobody keeps it. Each gets a successor here, and a line in a
file of the old digests and the new keys. What is in that file is not made again, so the command may be run
again.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from innoai.cli import arguments, litellm, output
from innoai.cli.failures import CommandError, ExitCode
from innoai.cli.flags import App
from innoai.cli.session import Session, remote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx2

    from innoai import InnoAI

app = App(help="Bring keys and customers over from another gateway.")

PAGE = 100
"""Keys that LiteLLM lists at most at once."""
LONG_PAST = "2000-01-01T00:00:00Z"
"""When a key ends that is not to be used until somebody gives it another end."""
PRIVATE = 0o600


class CustomerBy(Enum):
    """What of a key names its customer."""

    TEAM = "team"
    USER = "user"


@dataclass(slots=True)
class Told:
    """What became of one thing, as --json prints it."""

    planned: litellm.Planned
    status: str
    id: str | None = None
    why: str = ""

    def members(self, name: str) -> dict[str, Any]:
        """The object; the secret is in the file alone."""
        return {
            name: self.planned.old,
            "name": self.planned.name,
            "status": self.status,
            "id": self.id,
            "why": self.why or self.planned.why or None,
            "closed": self.planned.closed,
            "as": self.planned.body,
            "lost": list(self.planned.lost),
        }


@dataclass(slots=True)
class KeyMap:
    """The file of old digests and new keys: one JSON object a line, readable by its owner alone."""

    path: Path
    known: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> KeyMap:
        """What an earlier run has made. CommandError when it is no such file, or others may read it."""
        if not path.exists():
            return cls(path)
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise CommandError(
                ExitCode.USAGE, f"others may read {path}, and it holds keys", hint=f"chmod 600 {path}"
            )
        try:
            lines = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]
            return cls(path, {str(line["litellm_token"]): str(line["id"]) for line in lines})
        except (OSError, ValueError, TypeError, KeyError):
            raise CommandError(
                ExitCode.USAGE, f"{path} is not a file that this command wrote", hint="name another by --map"
            ) from None

    def add(self, there: Mapping[str, Any], planned: litellm.Planned, made: Mapping[str, Any]) -> None:
        """One line more, on the disk before the next key is made."""
        line = {
            "litellm_token": planned.old,
            "litellm_key_name": there.get("key_name"),
            "name": planned.name,
            "id": made["id"],
            "key": made["key"],
        }
        try:
            opened = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE)
            with os.fdopen(opened, "a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as problem:
            raise CommandError(
                ExitCode.USAGE,
                f"cannot write {self.path}: {problem.strerror}; nobody has the key {made['id']}",
                hint="within a day the command gets that key again, with a --map that can be written",
            ) from None
        self.known[planned.old] = str(made["id"])


@app.callback()
def importing() -> None:
    """Keep `litellm` a command of its own while it is the only one."""


@app.command("litellm")
@remote
def import_litellm(
    session: Session,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]", help="An export, JSON or CSV; - is stdin. Without it LiteLLM is asked."
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="LiteLLM's address. Default: LITELLM_BASE_URL."),
    ] = None,
    master_key: Annotated[
        str | None,
        typer.Option(
            parser=arguments.secret,
            metavar="KEY",
            help="LiteLLM's admin key; - reads stdin. Better: LITELLM_MASTER_KEY.",
        ),
    ] = None,
    mapping: Annotated[
        Path,
        typer.Option("--map", metavar="FILE", help="Where old digests and new keys are written, mode 0600."),
    ] = Path("litellm-map.jsonl"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be made.")] = False,
    customer_by: Annotated[
        CustomerBy | None, typer.Option(help="Bind each key to a customer named after its team or user.")
    ] = None,
    rename_model: Annotated[
        list[str] | None,
        typer.Option(metavar="OLD=NEW", help="A model's name there and here. May be given again."),
    ] = None,
) -> None:
    """Make a key for each virtual key of LiteLLM, and a customer for each of its customers.

    Running it again makes only what the file of --map does not have.
    """
    renamed = _renamed(rename_model or [])
    known = KeyMap.read(mapping)
    export = _from_file(file) if file is not None else _from_server(session, url, master_key)
    rules = litellm.Rules(
        now=datetime.now(UTC),
        customer_by=None if customer_by is None else f"{customer_by.value}_id",
        renamed=renamed,
        served=_served(session, export),
        teams={str(team["team_id"]): team for team in export.teams if "team_id" in team},
    )
    customers = [Told(planned, "planned") for planned in litellm.plan_customers(export, rules)]
    keys = [_told(litellm.plan_key(key, rules), known) for key in export.keys]
    if not dry_run:
        client = session.client()
        for told in customers:
            _make_customer(client, told)
        for there, told in zip(export.keys, keys, strict=True):
            if told.status == "planned":
                _make_key(client, there, told, known)
    _show(session, customers, keys, known.path, dry_run=dry_run)
    if any(told.status == "failed" for told in (*customers, *keys)):
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _told(planned: litellm.Planned, known: KeyMap) -> Told:
    if planned.old in known.known:
        return Told(planned, "known", known.known[planned.old])
    return Told(planned, "planned" if planned.body is not None else "left out")


def _make_customer(client: InnoAI, told: Told) -> None:
    import openai

    customer_id, body = told.planned.old, dict(told.planned.body or {})
    try:
        told.status, found = "known", client.customers.get(customer_id)
    except openai.NotFoundError:
        told.status, found = "created", None
    except ValueError as problem:
        # An id that cannot be a customer's here.
        told.status, told.why = "failed", str(problem)
        return
    try:
        found = found or client.customers.create(**body)
        told.id = found.id
        # Where a run broke off before this, the next one finds it as it was made; what was changed stays so.
        if told.planned.closed and not found.disabled and found.updated_at == found.created_at:
            client.customers.update(customer_id, disabled=True)
            told.why = "" if told.status == "created" else "blocked there, and made unusable here"
    except (openai.BadRequestError, openai.ConflictError) as problem:
        told.status, told.why = "failed", _sentence(problem)


def _make_key(client: InnoAI, there: Mapping[str, Any], told: Told, known: KeyMap) -> None:
    """The digest is the Idempotency-Key: a run that was cut off gets the same key again, for a day."""
    import openai

    body = dict(told.planned.body or {})
    try:
        made = client.keys.create(**body, idempotency_key=f"litellm-{told.planned.old}")
        if told.planned.closed:
            client.keys.update(made.id, expires_at=LONG_PAST)
    except (openai.BadRequestError, openai.ConflictError) as problem:
        told.status, told.why = "failed", _sentence(problem)
        return
    known.add(there, told.planned, {"id": made.id, "key": made.key})
    told.status, told.id = "created", made.id


def _sentence(problem: Exception) -> str:
    body = getattr(problem, "body", None)
    return str(body["message"] if isinstance(body, dict) and "message" in body else problem)


def _served(session: Session, export: litellm.Export) -> list[str]:
    """The models here, where keys name any; none where they are not told, and no pattern needs them."""
    import openai

    named = [str(model) for key in (*export.keys, *export.teams) for model in key.get("models") or ()]
    if not named:
        return []
    try:
        return [model.id for model in session.client().models.list()]
    except (CommandError, openai.APIError):
        if any("*" in model for model in named):
            raise
        return []


def _renamed(pairs: list[str]) -> dict[str, str]:
    renamed = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    if len(renamed) != len(pairs) or not all((*renamed, *renamed.values())):
        raise typer.BadParameter("write OLD=NEW, each OLD once", param_hint="--rename-model")
    return renamed


def _from_file(name: str) -> litellm.Export:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        said = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8 text"
        raise CommandError(ExitCode.USAGE, f"cannot read {name}: {said}", hint="name another file") from None
    return litellm.read(text)


def _from_server(session: Session, url: str | None, master_key: str | None) -> litellm.Export:
    import httpx2

    address = (url or os.environ.get("LITELLM_BASE_URL") or "").rstrip("/").removesuffix("/v1")
    if urlsplit(address).scheme not in ("http", "https"):
        raise typer.BadParameter(
            "give LiteLLM's address, like http://127.0.0.1:4000, or a FILE", param_hint="--url"
        )
    key = master_key or os.environ.get("LITELLM_MASTER_KEY", "").strip()
    if not key:
        raise CommandError(ExitCode.AUTHENTICATION, "no admin key of LiteLLM", hint="set LITELLM_MASTER_KEY")
    headers = {"authorization": f"Bearer {arguments.sendable(key)}", "accept": "application/json"}
    with httpx2.Client(base_url=address, headers=headers, timeout=session.timeout) as client:
        keys = tuple(_keys_of(client))
        customers = _optional(client, "/customer/list")
        teams = _optional(client, "/team/list")
    return litellm.Export(keys, customers, teams)


def _keys_of(client: httpx2.Client) -> Iterator[Mapping[str, Any]]:
    """All keys, page by page. Older versions list digests alone, whose keys are then asked for one by one."""
    number, pages = 1, 1
    while number <= pages:
        query = {"return_full_object": "true", "include_team_keys": "true", "size": PAGE, "page": number}
        page = _asked(client, "/key/list", query)
        keys = page.get("keys") if isinstance(page, dict) else None
        if not isinstance(keys, list):
            raise _foreign("/key/list", "it lists no keys")
        for key in keys:
            whole = litellm.key_of(_asked(client, "/key/info", {"key": key})) if isinstance(key, str) else key
            yield from litellm.read(json.dumps([whole])).keys
        pages = int(page.get("total_pages") or 1)
        number += 1


def _optional(client: httpx2.Client, path: str) -> tuple[Mapping[str, Any], ...]:
    """What a version or a licence may not have: then there are none."""
    found = _asked(client, path, {}, optional=True)
    return tuple(each for each in found if isinstance(each, dict)) if isinstance(found, list) else ()


def _asked(client: httpx2.Client, path: str, query: Mapping[str, Any], *, optional: bool = False) -> Any:
    import httpx2

    try:
        answer = client.get(path, params=dict(query))
    except httpx2.TransportError as problem:
        raise CommandError(
            ExitCode.SERVER,
            f"LiteLLM does not answer at {client.base_url}: {problem}",
            hint="see that it runs, and that --url or LITELLM_BASE_URL is its address",
        ) from None
    if optional and not answer.is_success:
        return None
    if answer.status_code in (401, 403):
        raise CommandError(
            ExitCode.AUTHENTICATION,
            f"LiteLLM refuses its admin key ({answer.status_code})",
            hint="set LITELLM_MASTER_KEY",
        )
    if not answer.is_success:
        raise _foreign(path, f"its status is {answer.status_code}")
    try:
        return answer.json()
    except ValueError:
        raise _foreign(path, "it is no JSON") from None


def _foreign(path: str, what: str) -> CommandError:
    return CommandError(
        ExitCode.SERVER, f"that is not what LiteLLM answers to {path}: {what}", hint="look at --url"
    )


def _show(session: Session, customers: list[Told], keys: list[Told], path: Path, *, dry_run: bool) -> None:
    if session.options.json:
        output.write_json(
            {
                "dry_run": dry_run,
                "map": str(path),
                "customers": [told.members("customer_id") for told in customers],
                "keys": [told.members("litellm_token") for told in keys],
            }
        )
        return
    for title, tolds in (("customers", customers), ("keys", keys)):
        if tolds:
            output.write_table(("name", "status", "id", "as"), [_row(told) for told in tolds], title=title)
    for told in (*customers, *keys):
        if why := told.why or told.planned.why:
            output.note(f"{told.planned.name}: {told.status}: {why}")
        if told.status in ("planned", "created"):
            for lost in told.planned.lost:
                output.note(f"{told.planned.name}: without {lost}")
            if told.planned.closed:
                output.note(f"{told.planned.name}: blocked there, and made unusable here")
    if not keys:
        output.note("There is no key in it.")
    if dry_run:
        output.note("Nothing was made: --dry-run.")
    elif keys:
        output.note(f"The new keys are in {path}, which only you can read. Hand each to who had the old one.")


def _row(told: Told) -> list[object]:
    shown = {
        name: value
        for name, value in (told.planned.body or {}).items()
        if name not in ("name", "customer_id")
    }
    return [told.planned.name, told.status, told.id, shown]
