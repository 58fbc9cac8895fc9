"""`innoai audit …`: what was done in the account, and whether the log of it is whole."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from innoai.cli import arguments, download, output
from innoai.cli.failures import CommandError, ExitCode, foreign_answer
from innoai.cli.flags import App
from innoai.cli.options import CursorOption, FromOption, LimitOption, ToOption
from innoai.cli.session import Session, remote
from innoai.sdk.audit import BrokenLink, Head, Verified, Why, read
from innoai.sdk.audit import verify as verify_chain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

app = App(help="What was done in the account, by whom and from where; and whether that log is whole.")

ActionOption = Annotated[
    str | None, typer.Option(metavar="ACTION", help="Only this, like key.created, or key.* for several.")
]
ActorOption = Annotated[str | None, typer.Option(metavar="ID", help="Only what this key or member did.")]
TargetOption = Annotated[str | None, typer.Option(metavar="ID", help="Only what was done to this.")]

_STDIN = "-"
_SENTENCES = {
    Why.CONTENT_CHANGED: "its content is not what its hash says",
    Why.LINK_BROKEN: "it does not follow the entry before it",
    Why.ENTRY_MISSING: "it is missing, and later ones are there",
    Why.HEAD_NOT_REACHED: "it is not the one that the head names: the end was cut off, or all was rewritten",
}


@app.command("list")
@remote
def list_entries(
    session: Session,
    action: ActionOption = None,
    actor: ActorOption = None,
    target: TargetOption = None,
    start: FromOption = None,
    end: ToOption = None,
    limit: LimitOption = None,
    cursor: CursorOption = None,
) -> None:
    """List entries, the newest first."""
    wanted = _filter(action, actor, target, start, end)
    part = arguments.given({"limit": limit, "cursor": cursor})
    session.answer(session.client().audit.list(**wanted, **part), _show_page)


@app.command()
@remote
def export(
    session: Session,
    file: Annotated[
        str, typer.Argument(metavar="[FILE]", help="Where to; without it, or with -, stdout.")
    ] = download.STDOUT,
    action: ActionOption = None,
    actor: ActorOption = None,
    target: TargetOption = None,
    start: FromOption = None,
    end: ToOption = None,
) -> None:
    """Write all entries, the oldest first, one JSON object a line. `audit verify` reads such a file."""
    wanted = _filter(action, actor, target, start, end)
    download.save(session, session.client().audit.export_jsonl(**wanted), file)


@app.command()
@remote
def verify(
    session: Session,
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]", help="A whole export, read here alone; - reads stdin. Without it, the server's."
        ),
    ] = None,
    head: Annotated[
        Head | None,
        typer.Option(
            parser=arguments.head,
            metavar="SEQUENCE:HASH",
            help="What an earlier verify printed: the log has to pass through it.",
        ),
    ] = None,
) -> None:
    """Recompute the chain of hashes, and name the first link that is broken; exit code 1 if there is one."""
    heads = () if head is None else (head,)
    if file is None:
        verdict = _verify_servers(session, heads)
    else:
        with _opened(file) as lines:
            verdict = verify_chain(_entries(file, lines), heads=heads)
    _tell(session, verdict)


def _verify_servers(session: Session, heads: tuple[Head, ...]) -> Verified | BrokenLink:
    try:
        return session.client().audit.verify(heads=heads)
    except ValueError as problem:
        raise foreign_answer(f"a line of its export cannot be read: {problem}") from None


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == _STDIN:
        yield sys.stdin.buffer
        return
    try:
        with Path(file).open("rb") as lines:
            yield lines
    except OSError as problem:
        raise CommandError(
            ExitCode.USAGE, f"cannot read {file}: {problem.strerror}", hint="name a file of `audit export`"
        ) from None


def _entries(file: str, lines: BinaryIO) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        try:
            yield read(line)
        except ValueError as problem:
            raise CommandError(
                ExitCode.USAGE,
                f"{file}, line {number}: {problem}",
                hint="give a file as `innoai audit export` writes it",
            ) from None


def _tell(session: Session, verdict: Verified | BrokenLink) -> None:
    if isinstance(verdict, Verified):
        head = verdict.head
        if session.options.json:
            output.write_json({"verified": True, "head": {"sequence": head.sequence, "hash": head.hash}})
        else:
            output.write_line(f"whole: {head.sequence} entries", "bold green")
            output.write_fields({"head": f"{head.sequence}:{head.hash}"})
        return
    if session.options.json:
        link = {"sequence": verdict.sequence, "id": verdict.id, "why": verdict.why.value}
        output.write_json({"verified": False, "broken": link})
    else:
        output.write_line(f"broken at entry {verdict.sequence} ({output.cell(verdict.id)})", "bold red")
        output.write_line(f"{verdict.why}: {_SENTENCES[verdict.why]}")
    raise typer.Exit(ExitCode.CHECK_FAILED)


def _filter(
    action: str | None, actor: str | None, target: str | None, start: str | None, end: str | None
) -> dict[str, Any]:
    if start is not None and end is not None and _instant(end) < _instant(start):
        raise typer.BadParameter("it is before --from", param_hint="--to")
    return arguments.given(
        {"action": action, "actor_id": actor, "target_id": target, "from_": start, "to": end}
    )


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _show_page(page: dict[str, Any]) -> None:
    columns = ("sequence", "at", "action", "actor", "target_id", "address", "request_id")
    rows = [
        [_actor(entry) if column == "actor" else entry.get(column) for column in columns]
        for entry in output.members(page)
    ]
    output.write_table(columns, rows)


def _actor(entry: dict[str, Any]) -> str:
    actor = entry.get("actor")
    return f"{actor.get('kind')} {output.cell(actor.get('id'))}" if isinstance(actor, dict) else "-"
