"""`innoai webhooks …`: where events are sent, what became of them, and the events themselves."""

from __future__ import annotations

import time
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from innoai.cli import arguments, listening, output
from innoai.cli.failures import ExitCode
from innoai.cli.flags import App
from innoai.cli.options import CursorOption, IdempotencyKeyOption, LimitOption, YesOption
from innoai.cli.session import Session, remote

if TYPE_CHECKING:
    from innoai import InnoAI
    from innoai.sdk.models.webhooks import Delivery

app = App(help="Have events sent to your systems; see, test and repeat what was sent.")

EndpointArgument = Annotated[
    str, typer.Argument(parser=arguments.endpoint_id, metavar="ENDPOINT_ID", help="The endpoint's id, whe_….")
]
DeliveryArgument = Annotated[
    str, typer.Argument(parser=arguments.delivery_id, metavar="DELIVERY_ID", help="The delivery's id, dlv_….")
]
EventTypeOption = Annotated[
    list[str] | None,
    typer.Option(metavar="TYPE", help="Like key.created or key.*; default: all. Several with commas."),
]
HeaderOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Sent with each delivery. NAME=- reads the value from stdin. May be given again.",
    ),
]

POLL = 0.25
"""Seconds between two looks at a test's delivery."""
DEFAULT_WAIT = 30
"""Seconds until a test is given up."""


class State(Enum):
    """Where a delivery is."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@app.command()
@remote
def create(
    session: Session,
    url: Annotated[str, typer.Argument(parser=arguments.http_url, metavar="URL", help="Where to send.")],
    event_type: EventTypeOption = None,
    description: Annotated[str | None, typer.Option(help="What people should know about it.")] = None,
    header: HeaderOption = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Send nothing yet.")] = False,
    idempotency_key: IdempotencyKeyOption = None,
) -> None:
    """Create an endpoint. The secret that signs what is sent is printed this once."""
    wanted = {
        "event_types": arguments.listed(event_type, "--event-type"),
        "description": description,
        "headers": arguments.headers(header or ()),
        "disabled": disabled or None,
        "idempotency_key": idempotency_key,
    }
    session.answer(session.client().webhooks.create(url, **arguments.given(wanted)), _show_secret)


@app.command("list")
@remote
def list_endpoints(session: Session, limit: LimitOption = None, cursor: CursorOption = None) -> None:
    """List endpoints."""
    wanted = arguments.given({"limit": limit, "cursor": cursor})
    session.answer(session.client().webhooks.list(**wanted), _show_page)


@app.command()
@remote
def show(session: Session, endpoint: EndpointArgument) -> None:
    """Show one endpoint, without its secret."""
    session.answer(session.client().webhooks.get(endpoint), _show_endpoint)


@app.command()
@remote
def update(
    session: Session,
    endpoint: EndpointArgument,
    url: Annotated[
        str | None, typer.Option(parser=arguments.http_url, metavar="URL", help="Where to send.")
    ] = None,
    event_type: EventTypeOption = None,
    description: Annotated[
        str | None, typer.Option(help="What people should know about it; an empty one removes it.")
    ] = None,
    header: HeaderOption = None,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Send no headers of its own.")] = False,
    disabled: Annotated[
        bool | None, typer.Option("--disable/--enable", help="Send nothing, or again.")
    ] = None,
) -> None:
    """Change an endpoint; what is not given stays. --event-type and --header replace all that it has."""
    changes = arguments.given(
        {
            "url": url,
            "event_types": arguments.listed(event_type, "--event-type"),
            "description": description,
            "headers": arguments.headers(header or ()),
            "disabled": disabled,
        }
    )
    if description == "":
        changes["description"] = None
    if no_headers:
        changes["headers"] = {}
    if not changes:
        raise typer.BadParameter("nothing to change; give an option", param_hint="--url")
    session.answer(session.client().webhooks.update(endpoint, **changes), _show_endpoint)


@app.command()
@remote
def delete(session: Session, endpoint: EndpointArgument, yes: YesOption = False) -> None:
    """Delete an endpoint. Without a terminal nothing is asked."""
    client = session.client()
    session.confirm(f"Delete {endpoint}? Nothing is sent to it any more.", yes=yes)
    client.webhooks.delete(endpoint)
    session.done(f"deleted {endpoint}")


@app.command("rotate-secret")
@remote
def rotate_secret(
    session: Session,
    endpoint: EndpointArgument,
    overlap: Annotated[
        int | None,
        typer.Option(
            parser=arguments.duration,
            metavar="DURATION",
            help="How long the old secret signs as well, up to 7d; 0 ends it now. Default: 24h.",
        ),
    ] = None,
) -> None:
    """Give an endpoint a new secret, printed this once; deliveries bear both signatures meanwhile."""
    session.answer(session.client().webhooks.rotate_secret(endpoint, overlap=overlap), _show_secret)


@app.command("test")
@remote
def send_test(
    session: Session,
    endpoint: EndpointArgument,
    wait: Annotated[
        int | None,
        typer.Option(
            parser=arguments.duration,
            metavar="DURATION",
            help=f"Wait this long for an answer. Default: {DEFAULT_WAIT}s.",
        ),
    ] = None,
) -> None:
    """Send an endpoint the event webhook.test, and show what it answers; exit code 1 unless with 2xx."""
    client = session.client()
    deadline = time.monotonic() + (DEFAULT_WAIT if wait is None else wait)
    delivery = _attempted(client, client.webhooks.test(endpoint).id, deadline)
    session.answer(delivery, _show_outcome)
    if delivery.state != State.SUCCEEDED.value:
        raise typer.Exit(ExitCode.CHECK_FAILED)


@app.command()
@remote
def deliveries(
    session: Session,
    endpoint: Annotated[
        str | None,
        typer.Option(parser=arguments.endpoint_id, metavar="ENDPOINT_ID", help="Only to this endpoint."),
    ] = None,
    state: Annotated[State | None, typer.Option(help="Only of this state.")] = None,
    event_type: Annotated[str | None, typer.Option(metavar="TYPE", help="Only events of this type.")] = None,
    limit: LimitOption = None,
    cursor: CursorOption = None,
) -> None:
    """List what was sent or will be, the newest first."""
    wanted = arguments.given(
        {
            "endpoint_id": endpoint,
            "state": None if state is None else state.value,
            "event_type": event_type,
            "limit": limit,
            "cursor": cursor,
        }
    )
    session.answer(session.client().webhooks.deliveries(**wanted), _show_deliveries)


@app.command()
@remote
def delivery(session: Session, delivery: DeliveryArgument) -> None:
    """Show one delivery: its event, and each attempt with what was answered."""
    session.answer(session.client().webhooks.delivery(delivery), _show_delivery)


@app.command()
@remote
def replay(
    session: Session,
    subject: Annotated[
        str, typer.Argument(metavar="ID", help="A delivery (dlv_…), or an endpoint (whe_…) with --since.")
    ],
    since: Annotated[
        str | None,
        typer.Option(
            parser=arguments.instant, metavar="TIME", help="All that failed at the endpoint from here on."
        ),
    ] = None,
) -> None:
    """Send an event again, or all that failed at an endpoint since a time. Each keeps its webhook-id."""
    if since is None:
        delivery_id = arguments.delivery_id(subject)
        session.answer(session.client().webhooks.replay_delivery(delivery_id), _show_delivery)
    else:
        endpoint_id = arguments.endpoint_id(subject)
        session.answer(session.client().webhooks.replay(endpoint_id, since), output.write_fields)


@app.command("event-types")
@remote
def event_types(session: Session) -> None:
    """List the types of events; --json has the schema and an example of each."""
    session.answer(session.client().webhooks.event_types(), _show_event_types)


@app.command()
@remote
def listen(
    session: Session,
    forward_to: Annotated[
        str,
        typer.Option(
            parser=arguments.http_url, metavar="URL", help="Where to, like http://127.0.0.1:3000/webhooks."
        ),
    ],
    event_type: EventTypeOption = None,
) -> None:
    """Forward events to a receiver in development as they happen, signed with a secret of this session."""
    listening.listen(session, forward_to, arguments.listed(event_type, "--event-type"))


def _attempted(client: InnoAI, delivery_id: str, deadline: float) -> Delivery:
    """The delivery once an attempt was made, or at the deadline (monotonic seconds) as it is."""
    while True:
        delivery = client.webhooks.delivery(delivery_id)
        if delivery.attempts > 0 or delivery.state != State.PENDING.value or time.monotonic() >= deadline:
            return delivery
        time.sleep(POLL)


def _show_outcome(delivery: dict[str, Any]) -> None:
    log = output.members(delivery, "log")
    if not log:
        output.write_line("no attempt yet; `innoai webhooks delivery` shows what became of it", "bold red")
    elif delivery.get("state") == State.SUCCEEDED.value:
        output.write_line(f"succeeded: {_answered(log[-1])}", "bold green")
    else:
        output.write_line(f"failed: {_answered(log[-1])}", "bold red")
    output.write_fields({name: delivery.get(name) for name in ("id", "event_id", "endpoint_id")})


def _answered(attempt: dict[str, Any]) -> str:
    answer = output.cell(attempt.get("error") if attempt.get("status") is None else attempt.get("status"))
    return f"{answer} after {_milliseconds(attempt)} ms"


def _milliseconds(attempt: dict[str, Any]) -> object:
    took = attempt.get("duration_ms")
    return round(took) if isinstance(took, float) else took


def _show_secret(endpoint: dict[str, Any]) -> None:
    output.write_fields({"secret": endpoint.get("secret"), **_fields(endpoint)})
    output.note("The secret is shown this once. Give it to the receiver, which verifies with it.")


def _show_endpoint(endpoint: dict[str, Any]) -> None:
    output.write_fields(_fields(endpoint))


def _fields(endpoint: dict[str, Any]) -> dict[str, Any]:
    names = (
        "id",
        "url",
        "event_types",
        "description",
        "headers",
        "disabled",
        "disabled_because",
        "failing_since",
        "previous_secret_expires_at",
        "created_at",
        "updated_at",
    )
    return {name: endpoint.get(name) for name in names}


def _show_page(page: dict[str, Any]) -> None:
    columns = ("id", "url", "event_types", "disabled", "disabled_because", "failing_since", "description")
    rows = [[endpoint.get(column) for column in columns] for endpoint in output.members(page)]
    output.write_table(columns, rows)


_DELIVERY = (
    "id",
    "event_type",
    "state",
    "attempts",
    "endpoint_id",
    "event_id",
    "created_at",
    "next_attempt_at",
    "finished_at",
)


def _show_deliveries(page: dict[str, Any]) -> None:
    rows = [[delivery.get(column) for column in _DELIVERY] for delivery in output.members(page)]
    output.write_table(_DELIVERY, rows)


def _show_delivery(delivery: dict[str, Any]) -> None:
    output.write_fields({name: delivery.get(name) for name in _DELIVERY})
    if "log" in delivery:
        columns = ("number", "at", "status", "duration_ms", "error", "response_body")
        attempts = [
            {**attempt, "duration_ms": _milliseconds(attempt)} for attempt in output.members(delivery, "log")
        ]
        rows = [[attempt.get(column) for column in columns] for attempt in attempts]
        output.write_line("")
        output.write_table(columns, rows, title="Attempts")
    if "event" in delivery:
        output.write_line("")
        output.write_line("Event", "bold")
        output.write_json(delivery["event"])


def _show_event_types(page: dict[str, Any]) -> None:
    columns = ("type", "description")
    output.write_table(columns, [[row.get(column) for column in columns] for row in output.members(page)])
