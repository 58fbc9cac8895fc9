"""`innoai keys …`: create, list, show, change, rotate and revoke API keys."""

from __future__ import annotations

import codecs
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from innoai.access.keys import find, is_well_formed
from innoai.access.scopes import ADMIN_FULL, LEVELS, in_order
from innoai.cli import arguments, output
from innoai.cli.failures import with_hint
from innoai.cli.flags import App
from innoai.cli.options import (
    BudgetMonthlyOption,
    BudgetTotalOption,
    CursorOption,
    IdempotencyKeyOption,
    Level,
    LimitOption,
    SearchOption,
    YesOption,
    level_option,
)
from innoai.cli.session import Session, remote

if TYPE_CHECKING:
    from innoai import InnoAI

_LIST_MODELS = "GET /v1/models"

_STDIN: tuple[str | int, ...] = ("<stdin>", "-", 0)
"""What Python calls the standard input, where it was opened by its number too."""

app = App(help="Create, list, show, change, rotate and revoke API keys.")

KeyIdArgument = Annotated[
    str, typer.Argument(parser=arguments.key_id, metavar="KEY_ID", help="The key's id, key_….")
]
AllowIpOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CIDR", help="The only networks; any is anywhere. Several with commas, or given again."
    ),
]
RateLimitOption = Annotated[
    str | None,
    typer.Option(
        parser=arguments.rate_limit,
        metavar="N",
        help="Requests a minute; none: the tier's for keys without.",
    ),
]
ExpiresAtOption = Annotated[
    str | None,
    typer.Option(
        parser=arguments.end,
        metavar="TIME",
        help="Last instant, like 2027-01-31T12:00:00Z; none: no end.",
    ),
]
ExpiresInOption = Annotated[
    str | None,
    typer.Option(
        parser=arguments.lifetime,
        metavar="DURATION",
        help="Lifetime from now, like 90d or 24h; none: no end.",
    ),
]
ModelOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MODEL", help="The only models; any is all of them. Several with commas, or given again."
    ),
]


class Status(Enum):
    """What a key can be asked by."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


@app.command()
@remote
def create(
    session: Session,
    name: Annotated[str, typer.Option(help="What people call the key.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCOPE",
            help="Several with commas, or given again. Without --scope and --level: inference:read and "
            "inference:write.",
        ),
    ] = None,
    level: Annotated[Level | None, level_option("A preset instead of scopes.")] = None,
    allow_ip: AllowIpOption = None,
    rate_limit: RateLimitOption = None,
    expires_in: ExpiresInOption = None,
    expires_at: ExpiresAtOption = None,
    model: ModelOption = None,
    customer: Annotated[
        str | None, typer.Option(metavar="CUSTOMER_ID", help="Bind the key to this customer.")
    ] = None,
    budget_monthly: BudgetMonthlyOption = None,
    budget_total: BudgetTotalOption = None,
    idempotency_key: IdempotencyKeyOption = None,
) -> None:
    """Create an API key. Its secret is printed this once."""
    scopes, models = arguments.listed(scope, "--scope"), arguments.only(model, "--model")
    expiry = _expiry(expires_in, expires_at)
    _check_either(scopes, level)
    if customer is not None and ADMIN_FULL in (LEVELS[level.value] if level is not None else scopes or ()):
        raise typer.BadParameter(
            f"a customer's key never has {ADMIN_FULL}; leave out --customer, or give it less",
            param_hint="--customer",
        )
    wanted = {
        "name": name,
        "scopes": scopes,
        "level": None if level is None else level.value,
        "allowed_ips": arguments.only(allow_ip, "--allow-ip"),
        "rate_limit": arguments.requests_a_minute(rate_limit),
        "expires_at": None if expiry == arguments.NONE else expiry,
        "models": models,
        "customer_id": customer,
        "budgets": arguments.budgets(budget_monthly, budget_total),
        "idempotency_key": idempotency_key,
    }
    client = session.client()
    key = client.keys.create(**arguments.given(wanted))
    session.answer(key, _show_new)
    if models:
        _tell_unserved(client, models)


@app.command("list")
@remote
def list_keys(
    session: Session,
    limit: LimitOption = None,
    cursor: CursorOption = None,
    status: Annotated[Status | None, typer.Option(help="Only keys of this status.")] = None,
    customer: Annotated[
        str | None, typer.Option(metavar="CUSTOMER_ID", help="Only this customer's keys.")
    ] = None,
    search: SearchOption = None,
) -> None:
    """List API keys, without their secrets."""
    wanted = {
        "limit": limit,
        "cursor": cursor,
        "status": None if status is None else status.value,
        "customer_id": customer,
        "search": search,
    }
    session.answer(session.client().keys.list(**arguments.given(wanted)), _show_page)


@app.command()
@remote
def show(session: Session, key: KeyIdArgument) -> None:
    """Show one API key, without its secret."""
    session.answer(session.client().keys.get(key), _show_key)


@app.command()
@remote
def update(
    session: Session,
    key: KeyIdArgument,
    name: Annotated[str | None, typer.Option(help="What people call the key.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help="Instead of all it has; several with commas, or given again."),
    ] = None,
    level: Annotated[Level | None, level_option("A preset instead of all scopes it has.")] = None,
    allow_ip: AllowIpOption = None,
    rate_limit: RateLimitOption = None,
    expires_in: ExpiresInOption = None,
    expires_at: ExpiresAtOption = None,
    model: ModelOption = None,
    budget_monthly: BudgetMonthlyOption = None,
    budget_total: BudgetTotalOption = None,
) -> None:
    """Change an API key; what is not given stays. Lists are given whole."""
    scopes = arguments.listed(scope, "--scope")
    networks, models = arguments.only(allow_ip, "--allow-ip"), arguments.only(model, "--model")
    expiry = _expiry(expires_in, expires_at)
    _check_either(scopes, level)
    changes = arguments.given(
        {
            "name": name,
            "scopes": scopes if level is None else list(in_order(LEVELS[level.value])),
            "budgets": arguments.budgets(budget_monthly, budget_total),
        }
    )
    # What takes a restriction away is told by null or an empty list, which `given` would leave out.
    if networks is not None:
        changes["allowed_ips"] = networks
    if models is not None:
        changes["models"] = models or None
    if rate_limit is not None:
        changes["rate_limit"] = arguments.requests_a_minute(rate_limit)
    if expiry is not None:
        changes["expires_at"] = None if expiry == arguments.NONE else expiry
    if not changes:
        raise typer.BadParameter("nothing to change; give an option", param_hint="--name")
    client = session.client()
    session.answer(client.keys.update(key, **changes), _show_key)
    if models:
        _tell_unserved(client, models)


@app.command()
@remote
def rotate(
    session: Session,
    key: KeyIdArgument,
    overlap: Annotated[
        int | None,
        typer.Option(
            parser=arguments.duration,
            metavar="DURATION",
            help="How long the old key still works, like 24h; 0 ends it now.",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="The successor's name, if another.")] = None,
) -> None:
    """Give a key a successor with the same rights; the old one expires after the overlap."""
    wanted = {"overlap": overlap, "name": name}
    import openai

    client = session.client()
    try:
        successor = client.keys.rotate(key, **arguments.given(wanted))
    except openai.ConflictError as problem:
        raise with_hint(
            problem,
            "a key that has ended or has a successor is not rotated; `innoai keys create` makes another",
        ) from None
    session.answer(successor, _show_new)


@app.command()
@remote
def revoke(
    session: Session,
    key: Annotated[
        str,
        typer.Argument(
            parser=arguments.secret,
            metavar="KEY_OR_ID",
            help="The id (key_…), or the secret key itself; - reads stdin.",
        ),
    ],
    yes: YesOption = False,
) -> None:
    """Revoke a key and every token made from it. Without a terminal only the key in use needs --yes."""
    if key.startswith("sk-"):
        _revoke_secret(session, key, yes=yes)
    else:
        _revoke_id(session, arguments.key_id(key), yes=yes)


@app.command()
@remote
def leaked(
    session: Session,
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(metavar="FILE", help="A text in which keys may stand, such as a log; - reads stdin."),
    ],
    source: Annotated[
        str | None, typer.Option(help="Where it was found, for the audit log. Default: the file's name.")
    ] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="Revoke the account's keys in it.")] = False,
    yes: YesOption = False,
) -> None:
    """Find the account's keys in a text, and put on record that they leaked. Only keys are sent."""
    # A log may hold any bytes. PowerShell writes UTF-16, and says so.
    content = file.read()
    is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = "\n".join(find(content.decode("utf-16" if is_utf_16 else "utf-8", "replace")))
    if not text:
        session.done("no key stands in it")
        return
    if revoke:
        session.confirm(
            "Revoke the account's keys that stand in it? Requests with them are refused.", yes=yes
        )
    named = source or (None if file.name in _STDIN else file.name)
    session.answer(session.client().keys.report_leak(text, source=named, revoke=revoke), _show_leaks)


def _revoke_secret(session: Session, secret: str, *, yes: bool) -> None:
    """By possession alone. RFC 7009 §2.2 answers alike for unknown keys, so a slip must be told here."""
    if not is_well_formed(secret):
        raise typer.BadParameter(
            "that is no complete key: its length or checksum is wrong. Copy it again, or revoke it by its id",
            param_hint="KEY_OR_ID",
        )
    shown = _masked("sk-inno-", secret[-4:])
    if session.acts_with(secret):
        session.confirm_own(f"{shown} is the key that this command acts with. Revoke it?", yes=yes)
    else:
        session.confirm(f"Revoke {shown}? Requests with it are refused at once.", yes=yes)
    session.client_for(secret).auth.revoke(secret)
    session.done(f"revoked {shown}")


def _revoke_id(session: Session, key_id: str, *, yes: bool) -> None:
    client = session.client()
    if _key_id_of(client) == key_id:
        session.confirm_own(f"{key_id} is the key that this command acts with. Revoke it?", yes=yes)
    else:
        session.confirm(f"Revoke {key_id}? Requests with it are refused at once.", yes=yes)
    client.keys.revoke(key_id)
    session.done(f"revoked {key_id}")


def _key_id_of(client: InnoAI) -> str | None:
    """Which key the client acts with; None where it is not told, and the next refusal says why."""
    import openai

    try:
        return client.auth.validate().key_id
    except openai.APIError:
        return None


def _tell_unserved(client: InnoAI, models: list[str]) -> None:
    """Remark on names that are not served, which may be slips; a name can also come before its model."""
    import openai

    try:
        served = {model.id for model in client.models.list()}
    except openai.APIError:
        return
    unserved = [model for model in models if model not in served]
    if unserved:
        output.note(
            f"Not served to you: {', '.join(unserved)}. `{_LIST_MODELS}` lists the models; "
            "until one of that name is there, the key cannot use it."
        )


def _check_either(scopes: list[str] | None, level: Level | None) -> None:
    if scopes and level is not None:
        raise typer.BadParameter("give --scope or --level, not both", param_hint="--level")


def _expiry(expires_in: str | None, expires_at: str | None) -> str | None:
    """The last instant that was given in either way, or arguments.NONE."""
    if expires_in is not None and expires_at is not None:
        raise typer.BadParameter("give --expires-in or --expires-at, not both", param_hint="--expires-at")
    if expires_in is None or expires_in == arguments.NONE:
        return expires_in or expires_at
    return arguments.instant_after(datetime.now(UTC), int(expires_in))


def _show_new(key: dict[str, Any]) -> None:
    output.write_fields({"key": key.get("key"), **_fields(key)})
    output.note("The key is shown this once. Store it now, for example as INNOAI_API_KEY.")


def _show_key(key: dict[str, Any]) -> None:
    output.write_fields({"key": _masked(key.get("prefix"), key.get("last4")), **_fields(key)})


def _fields(key: dict[str, Any]) -> dict[str, Any]:
    names = (
        "id",
        "name",
        "status",
        "scopes",
        "level",
        "allowed_ips",
        "rate_limit",
        "models",
        "customer_id",
        "budgets",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
        "rotated_from",
        "rotated_to",
    )
    return {name: key.get(name) for name in names}


def _show_page(page: dict[str, Any]) -> None:
    columns = ("id", "name", "key", "status", "scopes", "rate_limit", "expires_at", "last_used_at")
    rows = [
        [
            _masked(key.get("prefix"), key.get("last4")) if column == "key" else key.get(column)
            for column in columns
        ]
        for key in output.members(page)
    ]
    output.write_table(columns, rows)


def _show_leaks(report: dict[str, Any]) -> None:
    columns = ("id", "name", "status", "last_used_at")
    output.write_table(columns, [[key.get(column) for column in columns] for key in report["keys"]])
    if report["others"]:
        output.note(f"{report['others']} more stood in it that are not this account's.")


def _masked(prefix: object, last4: object) -> str:
    return f"{prefix}…{last4}"
