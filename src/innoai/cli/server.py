"""`innoai serve`, `init`, `doctor`: commands that work here, and import the server when called."""

from __future__ import annotations

import importlib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from innoai.cli import output
from innoai.cli.failures import CommandError, ExitCode
from innoai.cli.session import JsonOption, Options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from innoai.config import Settings
    from innoai.installation import Initialised

ConfigOption = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Settings. Default: INNOAI_CONFIG, else ./innoai.toml if it is there.",
    ),
]


def init(context: typer.Context, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Create the store if there is none, and print the first admin key this once."""
    with telling():
        settings = load(config)
        first_run: Initialised = part("installation").initialise(settings)
    found = {"api_key": first_run.api_key, "dashboard_setup_url": first_run.dashboard_setup_url}
    if Options(json=json).over(context.obj).json:
        output.write_json({**found, "created": first_run.created})
    else:
        output.write_fields(found)
    if first_run.created:
        output.note("The key is shown this once. Store it now, for example as INNOAI_API_KEY.")
    else:
        output.note(
            "The store exists already; its keys cannot be shown again. "
            "`innoai accounts new-key` makes another, `innoai accounts setup-link` another link to set up."
        )


def serve(config: ConfigOption = None) -> None:
    """Serve until stopped. The first run prints the first admin key, a request to try, and the dashboard."""
    with telling():
        settings = load(config)
        part("installation").check_spool(settings)
        # Before the store and its key are made, so that what is printed about them reaches this server.
        listener = part("server").listen(settings)
        first_run: Initialised = part("installation").initialise(settings)
    if first_run.created:
        _greet(settings, first_run)
    with telling():
        part("server").serve(settings, listener)


def rotate_signing_key(
    context: typer.Context,
    config: ConfigOption = None,
    leaked: Annotated[
        bool,
        typer.Option(
            "--leaked", help="End the former keys: every token and refresh token of before is refused."
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Let a new key sign tokens, at once in running servers too; tokens of the former key stay valid."""
    with telling():
        kid: str = part("installation").rotate_signing_key(load(config), ends_former=leaked)
    if Options(json=json).over(context.obj).json:
        output.write_json({"kid": kid})
    else:
        output.write_fields({"kid": kid})


def doctor(context: typer.Context, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Examine the settings, the store and what else the server relies on."""
    with telling():
        settings = load(config)
        findings = part("doctor").examine(settings, part("config").file_of(config, os.environ))
    sound = all(finding.ok for finding in findings)
    if Options(json=json).over(context.obj).json:
        members = ("name", "ok", "detail", "remedy")
        found = [{member: getattr(finding, member) for member in members} for finding in findings]
        output.write_json({"ok": sound, "findings": found})
    else:
        output.write_checks(
            [output.Check(finding.name, finding.ok, _with_remedy(finding)) for finding in findings]
        )
    if not sound:
        raise typer.Exit(ExitCode.CONFIGURATION)


@contextmanager
def telling() -> Iterator[None]:
    """Turn what stops the server into a CommandError: a setting, a file, an address in use."""
    config = part("config")
    try:
        yield
    except config.NoSuchThing as error:
        raise CommandError(ExitCode.NOT_FOUND, str(error)) from None
    except config.StoreUnreachable as error:
        raise CommandError(ExitCode.SERVER, str(error)) from None
    except config.ConfigError as error:
        raise CommandError(ExitCode.CONFIGURATION, str(error)) from None
    except OSError as error:
        raise CommandError(
            ExitCode.CONFIGURATION,
            str(error),
            hint="let this user write there, or name another place in the settings",
        ) from None


def load(config: str | None) -> Settings:
    """The settings that a local command works by."""
    settings: Settings = part("config").load(config, os.environ)
    return settings


def part(name: str) -> Any:
    """A module of the server. Raises CommandError where only the SDK and the CLI are installed."""
    try:
        return importlib.import_module(f"innoai.{name}")
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing.partition(".")[0] == "innoai":
            raise
        raise CommandError(
            ExitCode.CONFIGURATION,
            f"the server is not installed here: the module {missing} is missing",
            hint="pip install 'innoai[server]'",
        ) from None


def _with_remedy(finding: Any) -> str:
    return finding.detail if finding.ok or finding.remedy is None else f"{finding.detail}; {finding.remedy}"


def _greet(settings: Settings, first_run: Initialised) -> None:
    model = next(iter(settings.models))
    output.write_line("The first admin key, shown this once. Store it now:", "bold")
    output.write_line(f"  {first_run.api_key}")
    output.write_line("Try it from another terminal:", "bold")
    output.write_line(f"  curl {settings.server.url}/v1/chat/completions \\")
    output.write_line(f'    -H "Authorization: Bearer {first_run.api_key}" \\')
    output.write_line('    -H "Content-Type: application/json" \\')
    output.write_line(f'    -d \'{{"model":"{model}","messages":[{{"role":"user","content":"Hello"}}]}}\'')
    output.write_line("Set up the dashboard:", "bold")
    output.write_line(f"  {first_run.dashboard_setup_url}")
    output.flush()
