"""/playground: a chat with a model, with a short-lived token of the member's own and never the session."""

from __future__ import annotations

from litestar import Response, get, post

from innoai.access.scopes import INFERENCE_READ, INFERENCE_WRITE
from innoai.dashboard.visit import Here

TOKEN_SECONDS = 600
SCOPES = frozenset((INFERENCE_READ, INFERENCE_WRITE))


@get("/playground")
async def show(here: Here) -> Response[bytes]:
    """Show an empty conversation."""
    here.require(INFERENCE_WRITE)
    return here.page("playground.html", models=here.models)


@post("/playground/token", status_code=200)
async def make_token(here: Here) -> Response[dict[str, object]]:
    """A token for inference alone, which ends with the session and with the member's role.

    Raises:
        InnoError: insufficient_permissions where the role may not ask models.
    """
    here.require(INFERENCE_WRITE)
    token = here.inside.mint.of_session(here.principal, here.member.id, SCOPES, TOKEN_SECONDS)
    return Response({"access_token": token, "expires_in": TOKEN_SECONDS})


HANDLERS = (
    show,
    make_token,
)
