"""/webhooks: endpoints are listed, made, tested, changed and deleted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from litestar import Response, get, post

from innoai.access.scopes import WEBHOOKS_WRITE
from innoai.dashboard import edits, webhook_forms
from innoai.dashboard.cookies import new_token
from innoai.dashboard.refusals import about_a_field
from innoai.dashboard.visit import Here
from innoai.errors import InnoError, Refusal

LIST = "/webhooks"
ONE = f"{LIST}/{{endpoint_id:str}}"
PER_PAGE = 25
LATEST = 10
DAY = 86_400
_API = "/v1/webhooks/{endpoint_id}"
_FIELDS = ("url", "description", "event_types", "headers")


@get(LIST)
async def show_list(here: Here) -> Response[bytes]:
    """Show the endpoints, newest first."""
    cursor = here.query("cursor")
    page = await here.get("/v1/webhooks", limit=PER_PAGE, cursor=cursor)
    return here.page(
        "webhooks/list.html",
        endpoints=page["data"],
        **here.further(LIST, page),
    )


@get(f"{LIST}/new")
async def show_form(here: Here) -> Response[bytes]:
    """Show the form of a new endpoint."""
    here.require(WEBHOOKS_WRITE)
    values = webhook_forms.empty_values()
    return _form(here, values, values, None)


@post(LIST, status_code=200)
async def create(here: Here) -> Response[bytes]:
    """Make the endpoint, and show its secret this once."""
    form = here.form
    shown = edits.shown_by(form, webhook_forms.empty_values())
    try:
        body = webhook_forms.creation(form, shown)
        made = await here.post("/v1/webhooks", body, once=form.text("once")[:64])
    except InnoError as error:
        return _form(here, webhook_forms.typed_values(form), shown, error.refusal)
    return here.page("webhooks/secret.html", endpoint=made)


@get(ONE)
async def show_endpoint(endpoint_id: str, here: Here) -> Response[bytes]:
    """Show an endpoint with its latest deliveries."""
    endpoint = await here.get(_API, endpoint_id=endpoint_id)
    latest = await here.get("/v1/webhooks/deliveries", endpoint_id=endpoint_id, limit=LATEST)
    return here.page("webhooks/endpoint.html", endpoint=endpoint, deliveries=latest["data"])


@get(f"{ONE}/edit")
async def show_edit(endpoint_id: str, here: Here) -> Response[bytes]:
    """Show the form of an endpoint that is to be changed."""
    here.require(WEBHOOKS_WRITE)
    endpoint = await here.get(_API, endpoint_id=endpoint_id)
    values = webhook_forms.values_of(endpoint)
    return _form(here, values, values, None, endpoint=endpoint)


@post(ONE, status_code=200)
async def edit(endpoint_id: str, here: Here) -> Response[Any]:
    """Change of the endpoint what was changed in the form."""
    endpoint = await here.get(_API, endpoint_id=endpoint_id)
    shown = edits.shown_by(here.form, webhook_forms.values_of(endpoint))
    try:
        await here.patch(_API, webhook_forms.change(here.form, shown), endpoint_id=endpoint_id)
    except InnoError as error:
        return _form(here, webhook_forms.typed_values(here.form), shown, error.refusal, endpoint=endpoint)
    return here.redirect(f"{LIST}/{endpoint_id}", notice="endpoint-changed")


@post(f"{ONE}/state", status_code=200)
async def switch(endpoint_id: str, here: Here) -> Response[Any]:
    """Disable the endpoint, or enable it again."""
    disabled = here.form.text("disabled") == "yes"
    await here.patch(_API, {"disabled": disabled}, endpoint_id=endpoint_id)
    notice = "endpoint-disabled" if disabled else "endpoint-enabled"
    return here.redirect(f"{LIST}/{endpoint_id}", notice=notice)


@post(f"{ONE}/test", status_code=200)
async def send_test(endpoint_id: str, here: Here) -> Response[Any]:
    """Send a test event, and go to where its delivery can be watched."""
    sent = await here.post(f"{_API}/test", endpoint_id=endpoint_id)
    return here.redirect(f"{LIST}/deliveries/{sent['id']}", notice="test-sent")


@post(f"{ONE}/replay", status_code=200)
async def replay(endpoint_id: str, here: Here) -> Response[Any]:
    """Send once more what failed within the last days."""
    days = here.form.text("days")
    since = here.inside.clock() - (int(days) if days in ("1", "7", "30") else 1) * DAY
    body = {"since": datetime.fromtimestamp(since, UTC).isoformat()}
    await here.post(f"{_API}/replay", body, endpoint_id=endpoint_id)
    return here.redirect(f"{LIST}/deliveries", endpoint_id=endpoint_id, notice="replayed")


@get(f"{ONE}/rotate-secret")
async def show_rotation(endpoint_id: str, here: Here) -> Response[bytes]:
    """Ask how long the old secret may live on."""
    here.require(WEBHOOKS_WRITE)
    endpoint = await here.get(_API, endpoint_id=endpoint_id)
    return here.page(
        "webhooks/rotate.html",
        endpoint=endpoint,
        overlaps=list(webhook_forms.OVERLAPS.items()),
        once=new_token(),
    )


@post(f"{ONE}/rotate-secret", status_code=200)
async def rotate(endpoint_id: str, here: Here) -> Response[bytes]:
    """Make a new secret, and show it this once."""
    chosen = here.form.text("overlap")
    overlap = int(chosen) if chosen in webhook_forms.OVERLAPS else DAY
    made = await here.post(
        f"{_API}/rotate-secret",
        {"overlap": overlap},
        once=here.form.text("once")[:64],
        endpoint_id=endpoint_id,
    )
    return here.page("webhooks/secret.html", endpoint=made)


@get(f"{ONE}/delete")
async def show_deletion(endpoint_id: str, here: Here) -> Response[bytes]:
    """Ask whether it is meant."""
    here.require(WEBHOOKS_WRITE)
    endpoint = await here.get(_API, endpoint_id=endpoint_id)
    return here.page("webhooks/delete.html", endpoint=endpoint, error=None)


@post(f"{ONE}/delete", status_code=200)
async def delete(endpoint_id: str, here: Here) -> Response[Any]:
    """Delete the endpoint, if its address was typed."""
    endpoint = await here.get(_API, endpoint_id=endpoint_id)
    if not here.form.repeats("confirmation", endpoint["url"]):
        error = InnoError("invalid_request", "Type the address as it stands there.", param="confirmation")
        return here.page("webhooks/delete.html", status=400, endpoint=endpoint, error=error.refusal)
    await here.delete(_API, endpoint_id=endpoint_id)
    return here.redirect(LIST, notice="endpoint-deleted")


def _form(
    here: Here,
    values: dict[str, Any],
    shown: dict[str, Any],
    error: Refusal | None,
    *,
    endpoint: dict[str, Any] | None = None,
) -> Response[bytes]:
    """The form, of a new endpoint or of one that is to be changed; what was refused is said in it.

    `values` stand in it now, `shown` is what it began with.
    """
    return here.page(
        "webhooks/form.html",
        status=200 if error is None else error.kind.status,
        endpoint=endpoint,
        values=values,
        shown=edits.as_field(shown),
        error=about_a_field(error),
        fields=_FIELDS,
        groups=webhook_forms.groups(),
        once=here.form.text("once")[:64] or new_token(),
    )


HANDLERS = (
    show_list,
    show_form,
    create,
    show_endpoint,
    show_edit,
    edit,
    switch,
    send_test,
    replay,
    show_rotation,
    rotate,
    show_deletion,
    delete,
)
