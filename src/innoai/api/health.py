"""Whether the server is alive and ready, what it counts, and the public keys of its tokens."""

from __future__ import annotations

import msgspec
from litestar import Response, get

from innoai.api.admission import Inside
from innoai.api.metrics import CONTENT_TYPE, exposition
from innoai.api.wire import JSON


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
    """Answer 200 while the store answers, 503 otherwise."""
    reachable = await services.database.is_reachable()
    status = "ready" if reachable else "the store does not answer"
    return Response(
        msgspec.json.encode(Health(status)), status_code=200 if reachable else 503, media_type=JSON
    )


@get("/metrics")
async def metrics(services: Inside) -> Response[bytes]:
    """Counters in the Prometheus text format."""
    return Response(exposition(services.registry), media_type=CONTENT_TYPE)


@get("/.well-known/jwks.json")
async def jwks(services: Inside) -> Response[bytes]:
    """The public keys of the tokens (RFC 7517); none with HS256, whose secret is never shown."""
    return Response(msgspec.json.encode(services.keyring.signing.jwks()), media_type=JSON)
