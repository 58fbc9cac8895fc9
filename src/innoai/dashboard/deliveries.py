"""/webhooks/deliveries: what was sent, what came back, and sending it again."""

from __future__ import annotations

from typing import Any, get_args

from litestar import Response, get, post

from innoai.dashboard.forms import MAX_DIGITS
from innoai.dashboard.rendering import seconds_of
from innoai.dashboard.visit import Here
from innoai.events.types import EVENT_TYPES
from innoai.store.deliveries import State

LIST = "/webhooks/deliveries"
ONE = f"{LIST}/{{delivery_id:str}}"
LOOK_SECONDS = 2
ENDPOINTS_NAMED = 100
_API = "/v1/webhooks/deliveries/{delivery_id}"
PER_PAGE = 50
STATES = get_args(State)


@get(LIST)
async def show_list(here: Here) -> Response[bytes]:
    """Show deliveries, newest first."""
    kept = _filters(here)
    cursor = here.query("cursor")
    endpoints = (await here.get("/v1/webhooks", limit=ENDPOINTS_NAMED))["data"]
    page = await here.get("/v1/webhooks/deliveries", limit=PER_PAGE, cursor=cursor, **kept)
    return here.page(
        "webhooks/deliveries.html",
        deliveries=page["data"],
        endpoints={endpoint["id"]: endpoint["url"] for endpoint in endpoints},
        **here.further(LIST, page, **kept),
        filters=kept,
        states=[("", "All"), *((state, state.capitalize()) for state in STATES)],
        types=[("", "All"), *((name, name) for name in EVENT_TYPES)],
    )


@get(ONE)
async def show_delivery(delivery_id: str, here: Here) -> Response[bytes]:
    """Show a delivery: its event, and each attempt with request and answer."""
    delivery = await here.get(_API, delivery_id=delivery_id)
    endpoint = await here.get("/v1/webhooks/{endpoint_id}", endpoint_id=delivery["endpoint_id"])
    return here.page(
        "webhooks/delivery.html", delivery=delivery, endpoint=endpoint, wait=_wait(here, delivery)
    )


@get(f"{ONE}/progress")
async def show_progress(delivery_id: str, here: Here) -> Response[bytes]:
    """What has changed since the page was shown: the state, and attempts behind the first `seen`."""
    delivery = await here.get(_API, delivery_id=delivery_id)
    seen = here.query("seen")
    number = int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < MAX_DIGITS else 0
    return here.page(
        "webhooks/progress.html",
        delivery=delivery,
        wait=_wait(here, delivery),
        attempts=delivery["log"][number:],
    )


def _wait(here: Here, delivery: dict[str, Any]) -> int:
    """In how many seconds a page looks again: when the next attempt has been made, or soon if it is due."""
    due = delivery["next_attempt_at"]
    return max(LOOK_SECONDS, round(seconds_of(due) - here.inside.clock()) + 1) if due else LOOK_SECONDS


@post(f"{ONE}/replay", status_code=200)
async def replay(delivery_id: str, here: Here) -> Response[Any]:
    """Send the event once more, and go to where that can be watched."""
    sent = await here.post(f"{_API}/replay", delivery_id=delivery_id)
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
    show_progress,
    replay,
)
