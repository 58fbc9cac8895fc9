"""The command `innoai`: its groups, its common options, and the place where an error becomes an exit code."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from typing import TYPE_CHECKING, Annotated

import typer

from innoai.cli import (
    access,
    accounts,
    activity,
    audit,
    billing,
    customers,
    importing,
    keys,
    members,
    output,
    server,
    tokens,
    webhooks,
)
from innoai.cli.failures import EXIT_MEANINGS, ExitCode, command_error
from innoai.cli.flags import App
from innoai.cli.session import ApiKeyOption, BaseUrlOption, JsonOption, Options, TimeoutOption

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPILOG = "\n".join(
    [
        "Exit codes:",
        *(f"{code:>3}  {meaning}" for code, meaning in EXIT_MEANINGS.items()),
        "",
        "Environment: INNOAI_API_KEY, INNOAI_BASE_URL (with /v1), NO_COLOR. For the server and the operator:",
        "INNOAI_CONFIG, INNOAI_SECRET, INNOAI_SECRET_PREVIOUS, and INNOAI_SECTION_SETTING for each setting.",
    ]
)

app = App(
    name="innoai",
    help="A self-hosted AI gateway whose heart is authentication: keys, tokens, decisions.",
    epilog=_EPILOG,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def innoai(
    context: typer.Context,
    base_url: BaseUrlOption = None,
    api_key: ApiKeyOption = None,
    timeout: TimeoutOption = None,
    json: JsonOption = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Keep the options that stand before the command for the command."""
    words: Sequence[str] = context.obj
    context.obj = Options(base_url=base_url, api_key=api_key, timeout=timeout, json=json, words=tuple(words))
    if version:
        _write_version(json=json)
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(ExitCode.USAGE)


@app.command("version")
def show_version(context: typer.Context, json: JsonOption = False) -> None:
    """Print the version."""
    _write_version(json=Options(json=json).over(context.obj).json)


for local_command in (server.init, server.serve, server.doctor):
    app.command()(local_command)
app.command("rotate-signing-key")(server.rotate_signing_key)
for remote_command in (access.validate, access.explain, access.tiers):
    app.command()(remote_command)
for key_command in (activity.activity, activity.advice, activity.preview):
    keys.app.command()(key_command)
app.add_typer(keys.app, name="keys")
app.add_typer(activity.app, name="requests")
app.add_typer(tokens.app, name="tokens")
app.add_typer(customers.app, name="customers")
app.add_typer(members.app, name="members")
app.add_typer(billing.app, name="billing")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(audit.app, name="audit")
app.add_typer(importing.app, name="import")
app.add_typer(accounts.app, name="accounts")


def run(arguments: Sequence[str] | None = None) -> int:
    """The command line's whole life: parse, act, and answer with an exit code; no exception leaves."""
    output.tolerate_narrow_encodings()
    output.keep_help_plain()
    try:
        words = sys.argv[1:] if arguments is None else arguments
        exit_code = app(args=words, prog_name="innoai", standalone_mode=False, obj=words)
        output.flush()
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return _reader_left()
    except SystemExit as end:
        # typer and rich end the process themselves when stdout is a pipe that nobody reads.
        return _reader_left() if isinstance(end.__context__, BrokenPipeError) else _numeric(end.code)
    except Exception as problem:  # noqa: BLE001 - the promise is: never a traceback
        return _report(problem)
    return exit_code or ExitCode.OK


def _report(problem: Exception) -> int:
    failure = command_error(problem)
    try:
        output.write_error(failure)
        output.flush()
    except BrokenPipeError:
        _reader_left()
    return failure.exit_code


def _reader_left() -> int:
    """Whoever read our output had enough: no failure of ours."""
    output.abandon()
    return ExitCode.OK


def _numeric(code: str | int | None) -> int:
    return code if isinstance(code, int) else ExitCode.OK if code is None else ExitCode.UNEXPECTED


def _write_version(*, json: bool) -> None:
    number = installed_version("innoai")
    if json:
        output.write_json({"version": number})
    else:
        output.write_line(f"innoai {number}")


if __name__ == "__main__":
    sys.exit(run())
