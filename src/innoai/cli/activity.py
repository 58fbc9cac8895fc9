"""`innoai keys activity`, `advice` and `preview`, and `innoai requests …`: what keys did, and do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from innoai.cli import arguments, output
from innoai.cli.flags import App
from innoai.cli.options import FromOption, Level, LimitOption, ToOption, level_option
from innoai.cli.session import Session, remote

if TYPE_CHECKING:
    from innoai.sdk.models.activity import DecidedRequest, LostRequests
    from innoai.sdk.models.billing import UsageRecord

app = App(help="Watch requests as they are decided and finished; see the last refusals.")

KeyIdArgument = Annotated[
    str, typer.Argument(parser=arguments.key_id, metavar="KEY_ID", help="The key's id, key_….")
]
KeyOption = Annotated[
    str | None,
    typer.Option("--key", parser=arguments.key_id, metavar="KEY_ID", help="Only this key's."),
]
DaysOption = Annotated[
    int | None, typer.Option(min=1, max=400, metavar="N", help="How many days back; 30 by default.")
]


@remote
def activity(session: Session, key: KeyIdArgument, since: FromOption = None, until: ToOption = None) -> None:
    """Show what a key did and was refused, by default in the last seven days."""
    wanted = arguments.given({"from_": since, "to": until})
    session.answer(session.client().keys.activity(key, **wanted), _show_activity)


@remote
def advice(session: Session, key: KeyIdArgument, days: DaysOption = None) -> None:
    """Show what could be taken away from a key without refusing anything that it did."""
    session.answer(session.client().keys.advice(key, **arguments.given({"days": days})), _show_advice)


@remote
def preview(
    session: Session,
    key: KeyIdArgument,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help="Instead of all it has; several with commas, or given again."),
    ] = None,
    level: Annotated[Level | None, level_option("A preset, added to the scopes.")] = None,
    allow_ip: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CIDR", help="The only networks; any is anywhere. Several with commas, or given again."
        ),
    ] = None,
    rate_limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Requests a minute.")] = None,
    expires_at: Annotated[
        str | None,
        typer.Option(parser=arguments.instant, metavar="TIME", help="Last instant, like 2027-01-31."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL", help="The only models; any is all of them. Several with commas, or given again."
        ),
    ] = None,
    days: DaysOption = None,
) -> None:
    """Show what a change to a key would have refused. Nothing is changed."""
    networks, models = arguments.only(allow_ip, "--allow-ip"), arguments.only(model, "--model")
    wanted: dict[str, Any] = {
        "scopes": arguments.listed(scope, "--scope"),
        "level": None if level is None else level.value,
        "rate_limit": rate_limit,
        "expires_at": expires_at,
        "days": days,
    }
    changes = arguments.given(wanted)
    if networks is not None:
        changes["allowed_ips"] = networks
    if models is not None:
        changes["models"] = models or None
    if not changes.keys() - {"days"}:
        raise typer.BadParameter("nothing to try; give an option", param_hint="--scope")
    session.answer(session.client().keys.preview(key, **changes), _show_preview)


@app.command()
@remote
def tail(
    session: Session,
    key: KeyOption = None,
    refused: Annotated[bool, typer.Option("--refused", help="Leave out what is admitted.")] = False,
) -> None:
    """Print requests as the server that answers decides and finishes them, until interrupted."""
    stream = session.client().requests.stream(
        key_id=key, only="refused" if refused else None, lost=_tell_lost
    )
    try:
        for news in stream:
            if session.options.json:
                output.write_json(news.to_dict(mode="json"), indent=None)
            else:
                _tell(news)
            output.flush()
    except KeyboardInterrupt:
        output.note("stopped")


@app.command()
@remote
def refusals(session: Session, key: KeyOption = None, limit: LimitOption = None) -> None:
    """List the last refusals of the server that answers, newest first."""
    wanted = arguments.given({"key_id": key, "limit": limit})
    session.answer(session.client().requests.refusals(**wanted), _show_refusals)


def _tell_lost(pause: float) -> None:
    output.note(f"the connection is lost; trying again in {pause:g} s")
    output.flush()


def _tell(news: DecidedRequest | UsageRecord | LostRequests) -> None:
    from innoai.sdk.models.activity import DecidedRequest, LostRequests

    if isinstance(news, LostRequests):
        output.note(f"{news.count} more came faster than they were read")
    elif isinstance(news, DecidedRequest):
        said = "allowed" if news.allowed else str(news.code)
        asked = f"{news.method} {news.path}  {news.model or '-'}"
        output.write_line(
            f"{said}  {asked}  {news.key_id}  {news.address or '-'}  {news.request_id}",
            "" if news.allowed else "bold red",
        )
        refused = next((check for check in news.checks if check.outcome == "refused"), None)
        if refused is not None:
            output.write_line(f"  {refused.name}: {refused.detail}")
    else:
        tokens = f"{news.prompt_tokens or 0}+{news.completion_tokens or 0} tokens"
        output.write_line(
            f"{news.status} {news.outcome}  {news.route}  {news.duration_ms} ms  {tokens}  {news.request_id}",
            "green",
        )


def _show_activity(told: dict[str, Any]) -> None:
    output.write_fields(
        {name: told.get(name) for name in ("key_id", "from", "to", "allowed", "refused", "peak_minute")}
    )
    for name, columns in (
        ("routes", ("method", "path", "scope", "allowed", "refused", "last_at")),
        ("addresses", ("address", "allowed", "refused", "last_at")),
        ("models", ("model", "allowed", "refused", "last_at")),
        ("refusals", ("code", "method", "path", "address", "model", "requests", "last_at")),
    ):
        rows = [[row.get(column) for column in columns] for row in output.members(told, name)]
        if rows:
            output.write_table(columns, rows)


def _show_advice(told: dict[str, Any]) -> None:
    output.write_fields({name: told.get(name) for name in ("key_id", "days", "requests", "last_at")})
    columns = ("part", "verdict", "used", "unused", "advised")
    rows: list[list[object]] = []
    for name in ("scopes", "allowed_ips", "models"):
        part = told.get(name) or {}
        rows.append([name, *(part.get(column) for column in columns[1:])])
    rate = told.get("rate_limit") or {}
    rows.append(["rate_limit", rate.get("verdict"), rate.get("peak_minute"), None, rate.get("advised")])
    output.write_table(columns, rows)
    if told.get("change"):
        output.note("Taken all at once, it would have refused nothing that the key was admitted to do.")


def _show_preview(told: dict[str, Any]) -> None:
    names = ("key_id", "days", "requests", "refused", "let_in", "uncertain", "outdated")
    output.write_fields({name: told.get(name) for name in names})
    rows = [
        ["refused" if name == "reasons" else "let in", one.get("code"), one.get("check"), one.get("requests")]
        for name in ("reasons", "admissions")
        for one in output.members(told, name)
    ]
    if rows:
        output.write_table(("would be", "code", "check", "requests"), rows)
    rate = told.get("rate")
    if isinstance(rate, dict):
        output.write_fields(
            {"busiest minute": rate.get("peak_minute"), "hours above the limit": rate.get("hours_above")}
        )


def _show_refusals(page: dict[str, Any]) -> None:
    columns = ("at", "code", "method", "path", "key_id", "address", "model", "request_id")
    rows = [[row.get(column) for column in columns] for row in output.members(page)]
    output.write_table(columns, rows)
