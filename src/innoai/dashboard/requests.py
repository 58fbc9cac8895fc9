"""/requests: requests as they are decided and finished, and the last refusals, with why."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.response import Stream

from innoai.dashboard.refusals import about_a_filter
from innoai.dashboard.visit import Here
from innoai.errors import InnoError, Refusal

ROOM = "/requests"


@get(ROOM)
async def show(here: Here) -> Response[bytes]:
    """Show the last refusals, and what a script puts above them as it happens."""
    key_id, only = here.query("key_id")[:64], "refused" if here.query("only") == "refused" else ""
    error: Refusal | None = None
    refusals: list[dict[str, Any]] = []
    try:
        refusals = (await here.get("/v1/requests/refusals", key_id=key_id, limit=50))["data"]
    except InnoError as refused:
        error = about_a_filter(refused)
    query = {name: value for name, value in (("key_id", key_id), ("only", only)) if value}
    return here.page(
        "requests/requests.html",
        status=200 if error is None else error.kind.status,
        refusals=refusals,
        stream=here.link(f"{ROOM}/stream", **query),
        key_id=key_id,
        only=only,
        currency=here.principal.account.currency,
        error=error,
    )


@get(f"{ROOM}/stream")
async def stream(here: Here) -> Stream:
    """The same events as the API's."""
    return await here.relay(
        "/v1/requests/stream",
        accept="text/event-stream",
        key_id=here.query("key_id")[:64],
        only=here.query("only")[:16],
    )


HANDLERS = (show, stream)
