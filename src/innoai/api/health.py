"""Whether the server is alive and ready, what it counts, and the public keys of its tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from litestar import Response, get

from innoai.api.admission import Inside
from innoai.api.metrics import CONTENT_TYPE, exposition
from innoai.api.wire import JSON

if TYPE_CHECKING:
    from innoai.api.services import Services


class Health(msgspec.Struct, frozen=True):
    """How the server is, in a word or a sentence."""

    status: str


class PublicKeys(msgspec.Struct, frozen=True):
    """A JSON Web Key Set."""

    keys: list[dict[str, str]]


@get("/healthz")
async def alive() -> Response[bytes]:
    """Answer whenever the process can."""
    return Response(msgspec.json.encode(Health("ok")), media_type=JSON)


@get("/readyz")
async def ready(services: Inside) -> Response[bytes]:
    """Answer 200 while the store answers and what is known of it counts, 503 otherwise; soon in any case."""
    hindrance = await _hindrance(services)
    return Response(
        msgspec.json.encode(Health(hindrance or "ready")),
        status_code=503 if hindrance else 200,
        media_type=JSON,
    )


async def _hindrance(services: Services) -> str | None:
    """Why requests would get 503."""
    if not await services.database.is_reachable():
        return "the store does not answer"
    if services.feed.silent_for > services.settings.store.max_stale:
        return "the store has not said for too long what changed"
    return None


@get("/metrics")
async def metrics(services: Inside) -> Response[bytes]:
    """Counters in the Prometheus text format."""
    return Response(exposition(services.registry), media_type=CONTENT_TYPE)


@get("/.well-known/jwks.json")
async def jwks(services: Inside) -> Response[bytes]:
    """The public keys of the tokens (RFC 7517); none with HS256, whose secret is never shown."""
    return Response(msgspec.json.encode(services.keyring.signing.jwks()), media_type=JSON)
