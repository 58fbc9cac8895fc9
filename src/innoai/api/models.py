"""/v1/models: the models that a credential may use, in OpenAI's words."""

from __future__ import annotations

import msgspec
from litestar import Response, get

from innoai.api.admission import Caller, Inside
from innoai.api.wire import answer
from innoai.errors import InnoError

OWNER = "innoai"


class ShownModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model by its public name; `created` in Unix seconds, when the server started to serve it."""

    id: str
    object: str = "model"
    created: int
    owned_by: str = OWNER


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """The models."""

    object: str = "list"
    data: list[ShownModel]


@get("/v1/models")
async def list_models(services: Inside, caller: Caller) -> Response[bytes]:
    """List the models that the caller may use."""
    allowed = caller.principal.key.models
    names = [name for name in services.settings.models if allowed is None or name in allowed]
    return answer(ModelList(data=[ShownModel(id=name, created=services.started_at) for name in names]))


@get("/v1/models/{model:path}")
async def get_model(model: str, services: Inside, caller: Caller) -> Response[bytes]:
    """Show one model; a name may have slashes in it."""
    name = model.removeprefix("/")
    allowed = caller.principal.key.models
    if name not in services.settings.models or (allowed is not None and name not in allowed):
        raise InnoError("model_not_found", param="model")
    return answer(ShownModel(id=name, created=services.started_at))
