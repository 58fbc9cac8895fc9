"""`innoai accounts …`: the operator's commands, which work on the store of this installation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from innoai.cli import output
from innoai.cli.flags import App
from innoai.cli.server import ConfigOption, load, part, telling
from innoai.cli.session import JsonOption, Options

if TYPE_CHECKING:
    from innoai.store.accounts import AccountRecord

app = App(
    help="Make accounts, move them between tiers, disable them, and give back what was lost.",
    no_args_is_help=True,
)

AccountId = Annotated[str, typer.Argument(metavar="ACCOUNT_ID", help="As `innoai accounts list` shows it.")]
DEFAULT_TIER = "startup"


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Option("--name", help="A name for people.")],
    tier: Annotated[str, typer.Option("--tier", help="One of `innoai tiers`.")] = DEFAULT_TIER,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Make an account, and print its first admin key this once."""
    with telling():
        account, key = part("tenants").create(load(config), name, tier)
    _write(context, {**_shown(account), "api_key": key}, json=json)
    output.note("The key is shown this once. Give it to the account's owner.")


@app.command("list")
def list_accounts(context: typer.Context, config: ConfigOption = None, json: JsonOption = False) -> None:
    """List the accounts."""
    with telling():
        found = [_shown(account) for account in part("tenants").everyone(load(config))]
    if Options(json=json).over(context.obj).json:
        output.write_json({"object": "list", "data": found})
    else:
        output.write_table(["id", "name", "tier", "disabled"], [list(row.values()) for row in found])


@app.command("set-tier")
def set_tier(
    context: typer.Context,
    account: AccountId,
    tier: Annotated[str, typer.Argument(help="One of `innoai tiers`.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Move an account to another tier, in running servers within a second."""
    with telling():
        changed = part("tenants").set_tier(load(config), account, tier)
    _write(context, _shown(changed), json=json)


@app.command("new-key")
def new_key(
    context: typer.Context,
    account: AccountId,
    name: Annotated[str, typer.Option("--name", help="What people call the key.")] = "Operator's admin key",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Make an admin key of an account whose keys are lost, and print it this once."""
    with telling():
        record, key = part("tenants").new_key(load(config), account, name)
    _write(context, {"account_id": account, "key_id": record.id, "api_key": key}, json=json)
    output.note("The key is shown this once. Store it now, for example as INNOAI_API_KEY.")


@app.command("setup-link")
def setup_link(
    context: typer.Context, account: AccountId, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Print a link to the dashboard that makes whoever opens it within seven days an owner of the account."""
    with telling():
        url = part("tenants").setup_link(load(config), account)
    _write(context, {"account_id": account, "dashboard_setup_url": url}, json=json)


@app.command()
def disable(
    context: typer.Context, account: AccountId, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Refuse all keys and tokens of an account, in running servers within a second."""
    with telling():
        changed = part("tenants").set_disabled(load(config), account, disabled=True)
    _write(context, _shown(changed), json=json)


@app.command()
def enable(
    context: typer.Context, account: AccountId, config: ConfigOption = None, json: JsonOption = False
) -> None:
    """Admit a disabled account again."""
    with telling():
        changed = part("tenants").set_disabled(load(config), account, disabled=False)
    _write(context, _shown(changed), json=json)


def _shown(account: AccountRecord) -> dict[str, Any]:
    return {"id": account.id, "name": account.name, "tier": account.tier, "disabled": account.disabled}


def _write(context: typer.Context, fields: dict[str, Any], *, json: bool) -> None:
    if Options(json=json).over(context.obj).json:
        output.write_json(fields)
    else:
        output.write_fields(fields)
