"""/webhooks/deliveries: what was sent, what came back, and sending it again."""

from __future__ import annotations

from typing import Any, get_args

from litestar import Response, get, post

from innoai.dashboard.visit import Here
from innoai.events.types import EVENT_TYPES
from innoai.store.deliveries import State

LIST = "/webhooks/deliveries"
ONE = f"{LIST}/{{delivery_id:str}}"
PER_PAGE = 50
STATES = get_args(State)


@get(LIST)
async def show_list(here: Here) -> Response[bytes]:
    """Show deliveries, newest first."""
    kept = _filters(here)
    cursor = here.query("cursor")
    page = await here.get("/v1/webhooks/deliveries", limit=PER_PAGE, cursor=cursor, **kept)
    return here.page(
        "webhooks/deliveries.html",
        deliveries=page["data"],
        **here.further(LIST, page, **kept),
        filters=kept,
        states=[("", "All"), *((state, state.capitalize()) for state in STATES)],
        types=[("", "All"), *((name, name) for name in EVENT_TYPES)],
    )


@get(ONE)
async def show_delivery(delivery_id: str, here: Here) -> Response[bytes]:
    """Show a delivery: its event, and each attempt with request and answer."""
    delivery = await here.get("/v1/webhooks/deliveries/{delivery_id}", delivery_id=delivery_id)
    return here.page("webhooks/delivery.html", delivery=delivery)


@post(f"{ONE}/replay", status_code=200)
async def replay(delivery_id: str, here: Here) -> Response[Any]:
    """Send the event once more, and go to where that can be watched."""
    sent = await here.post("/v1/webhooks/deliveries/{delivery_id}/replay", delivery_id=delivery_id)
    return here.redirect(f"{LIST}/{sent['id']}", notice="replayed")


def _filters(here: Here) -> dict[str, str]:
    endpoint, state, kind = here.query("endpoint_id")[:64], here.query("state"), here.query("event_type")
    kept = {
        "endpoint_id": endpoint,
        "state": state if state in STATES else "",
        "event_type": kind if kind in EVENT_TYPES else "",
    }
    return {name: value for name, value in kept.items() if value}


HANDLERS = (
    show_list,
    show_delivery,
    replay,
)
