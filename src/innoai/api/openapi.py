"""The OpenAPI 3.1 document, rendered from the tables: operations, routes, errors and the msgspec shapes."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

from innoai.access.routes import ROUTES
from innoai.access.scopes import SCOPES
from innoai.api.operations import OPERATIONS, PATH_PARAMETERS, TAGS
from innoai.api.wire import JSON
from innoai.errors import ERRORS
from innoai.inference import UpstreamRefusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from innoai.access.routes import Route
    from innoai.api.operations.operation import Body, Operation

OPENAPI = "3.1.0"
REF = "#/components/schemas/{name}"

CREDENTIAL_IN_BODY = frozenset(("/v1/auth/token", "/v1/auth/refresh", "/v1/auth/revoke"))
"""Where the Authorization header may be left out, since the body holds a credential."""

_ANY_REFUSAL = ("headers_too_large", "internal_error")
_DOOR = ("invalid_request", "invalid_api_key", "token_expired", "ip_not_allowed", "rate_limit_exceeded")
_BODY = ("payload_too_large", "unsupported_media_type")
_RELAYED = frozenset((400, 403, 404, 413, 415, 429))
"""Statuses of ours that may come from the model server as well; its 401 and 402 never come through."""
_ONLY_RELAYED = ("4XX", "501", "505")
"""Those that come from the model server alone (innoai.gateway.failing_over)."""
_RATE_HEADERS = (
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
)
_HEADERS: dict[str, dict[str, Any]] = {
    "x-request-id": {
        "description": "names this answer in logs",
        "required": True,
        "schema": {"type": "string", "pattern": "^req_[0-9A-Za-z]{22}$"},
    },
    "x-ratelimit-limit-requests": {
        "description": "requests a minute that the key may make",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "x-ratelimit-remaining-requests": {
        "description": "requests that are left now",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "x-ratelimit-reset-requests": {
        "description": "how long until all are there again, such as 1.5s or 6m0s",
        "required": True,
        "schema": {"type": "string", "pattern": r"^([0-9]+ms|([0-9]+m)?[0-9]+(\.[0-9]+)?s)$"},
    },
    "x-innoai-account": {
        "description": "the account of the credential",
        "required": True,
        "schema": {"type": "string", "pattern": "^acc_[0-9A-Za-z]{22}$"},
    },
    "x-innoai-key": {
        "description": "the key, or the key that the token was minted from",
        "required": True,
        "schema": {"type": "string", "pattern": "^key_[0-9A-Za-z]{22}$"},
    },
    "x-innoai-customer": {
        "description": "the account's own id of the customer that the credential acts for, if for any",
        "required": False,
        "schema": {"type": "string"},
    },
    "x-innoai-scopes": {
        "description": "what the credential may do, separated by spaces",
        "required": True,
        "schema": {"type": "string", "pattern": "^[a-z]+:[a-z]+( [a-z]+:[a-z]+)*$"},
    },
    "x-innoai-tier": {
        "description": "the tier of the account",
        "required": True,
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "seconds after which to try again",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {
        "description": "the challenge of RFC 6750 §3",
        "required": True,
        "schema": {"type": "string", "pattern": "^Bearer "},
    },
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "any text; for a day, the same key and request of one credential get the same answer",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_ROUTES = {(route.method, route.path): route for route in ROUTES}


def document() -> dict[str, Any]:
    """The whole document."""
    schemas, responses = _Schemas(), _Refusals()
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(
            operation, schemas, responses
        )
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "innoai",
            "version": version("innoai"),
            "summary": "A self-hosted AI gateway whose heart is authentication.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "this server"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": {**schemas.components(), "Error": _error_schema()},
            "responses": responses.components,
            "headers": _HEADERS,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "an API key (sk-inno-…) or an access token from POST /v1/auth/token",
                }
            },
        },
    }


def error_codes(operation: Operation) -> tuple[str, ...]:
    """The codes of errors.ERRORS that an operation can answer with, in the table's order."""
    codes = {*operation.errors, *_ANY_REFUSAL}
    route = _ROUTES.get((operation.method, operation.path))
    if route is not None:
        codes.update(_DOOR, ("service_unavailable",))
        if route.scope is not None:
            codes.add("insufficient_permissions")
        if "{key_id}" in operation.path or "{customer_id}" in operation.path:
            codes.add("not_found")
    if operation.body is not None:
        codes.update(_BODY)
    return tuple(code for code in ERRORS if code in codes)


def _operation(operation: Operation, schemas: _Schemas, refusals: _Refusals) -> dict[str, Any]:
    route = _ROUTES.get((operation.method, operation.path))
    rendered: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": _who_may(operation, route),
        "security": _security(operation, route),
    }
    parameters = list(_parameters(operation))
    if parameters:
        rendered["parameters"] = parameters
    if operation.body is not None:
        rendered["requestBody"] = {
            "required": operation.body.required,
            "content": _content(operation.body, schemas.asked),
        }
    rendered["responses"] = {
        str(operation.status): _answer(operation, operation.answer, schemas),
        **{str(status): _answer(operation, body, schemas) for status, body in operation.also.items()},
        **refusals.of(operation),
    }
    if operation.relayed:
        schemas.answered(UpstreamRefusal)
    return rendered


def _who_may(operation: Operation, route: Route | None) -> str:
    if route is None:
        return "Asks for no credential."
    if operation.path in CREDENTIAL_IN_BODY:
        return "The credential may be in the body instead of the header."
    if route.scope is None:
        return "Any live credential suffices."
    own = " A key may always do this to itself." if route.own_key else ""
    return f"Asks for the scope `{route.scope}`.{own}"


def _security(operation: Operation, route: Route | None) -> list[dict[str, list[str]]]:
    if route is None:
        return []
    required: list[dict[str, list[str]]] = [{"bearer": [] if route.scope is None else [route.scope]}]
    return [*required, {}] if operation.path in CREDENTIAL_IN_BODY else required


def _parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    for name, (kind, example) in PATH_PARAMETERS.items():
        if f"{{{name}}}" in operation.path:
            schema = msgspec.json.schema(kind)
            yield {
                "name": name,
                "in": "path",
                "required": True,
                "description": schema.pop("description"),
                "schema": schema,
                "example": example,
            }
    if operation.query is not None:
        _, components = msgspec.json.schema_components([operation.query])
        for name, schema in components[operation.query.__name__]["properties"].items():
            plain = _without_null(schema)
            parameter = {"name": name, "in": "query", "schema": _tidied(plain)}
            if "description" in plain:
                parameter["description"] = plain.pop("description")
            if name in operation.query_example:
                parameter["example"] = operation.query_example[name]
            yield parameter
    if operation.idempotent:
        yield _IDEMPOTENCY_KEY


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a query parameter, which is left out where it would be null."""
    if "anyOf" not in schema:
        return schema
    (plain,) = (option for option in schema["anyOf"] if option != {"type": "null"})
    return dict(plain)


def _answer(operation: Operation, body: Body | None, schemas: _Schemas) -> dict[str, Any]:
    admitted = (operation.method, operation.path) in _ROUTES and operation.path not in CREDENTIAL_IN_BODY
    names = ("x-request-id", *(_RATE_HEADERS if admitted else ()), *operation.headers)
    answer: dict[str, Any] = {"description": "Done.", "headers": {name: _header(name) for name in names}}
    if body is not None:
        answer["description"] = _describe(body.shapes[body.media_type], operation.summary)
        answer["content"] = _content(body, schemas.answered)
    return answer


def _describe(shape: Any, otherwise: str) -> str:
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        return (shape.__doc__ or otherwise).splitlines()[0]
    said = [meta.description for meta in getattr(shape, "__metadata__", ()) if meta.description]
    return f"{said[0] if said else otherwise}."


def _content(body: Body, schema_of: Any) -> dict[str, Any]:
    content = {media_type: {"schema": schema_of(shape)} for media_type, shape in body.shapes.items()}
    content[body.media_type]["example"] = body.example
    return content


def _header(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{name}"}


class _Schemas:
    """Collects the shapes; what is asked for may leave members out, what is answered does not."""

    def __init__(self) -> None:
        self._asked: list[Any] = []
        self._answered: list[Any] = []

    def asked(self, shape: Any) -> dict[str, Any]:
        """The schema of a request body."""
        return self._schema(shape, self._asked)

    def answered(self, shape: Any) -> dict[str, Any]:
        """The schema of an answer."""
        return self._schema(shape, self._answered)

    def components(self) -> dict[str, Any]:
        """All shapes by name."""
        asked = _components(self._asked)
        answered = {name: _always_whole(schema) for name, schema in _components(self._answered).items()}
        return dict(sorted({**answered, **asked}.items()))

    def _schema(self, shape: Any, seen: list[Any]) -> dict[str, Any]:
        seen.append(shape)
        (schema,), _ = msgspec.json.schema_components([shape], ref_template=REF)
        return dict(_tidied(schema))


def _components(shapes: Iterable[Any]) -> dict[str, Any]:
    _, components = msgspec.json.schema_components(shapes, ref_template=REF)
    return {name: _tidied(schema) for name, schema in components.items()}


def _always_whole(schema: dict[str, Any]) -> dict[str, Any]:
    """In an answer, a member with a default is there all the same, unless that is null or to leave it out."""
    members, given = schema.get("properties", {}), schema.get("required", ())
    required = [name for name in members if name in given or members[name].get("default") is not None]
    return {**schema, "required": required}


def _tidied(schema: Any) -> Any:
    """The schema with the type of each enumeration of texts written out."""
    if isinstance(schema, list):
        return [_tidied(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidied = {name: _tidied(value) for name, value in schema.items()}
    if "enum" in tidied and all(isinstance(value, str) for value in tidied["enum"]):
        tidied["type"] = "string"
    return tidied


class _Refusals:
    """Collects the refusals of the operations, each combination of codes once."""

    def __init__(self) -> None:
        self.components: dict[str, dict[str, Any]] = {}

    def of(self, operation: Operation) -> dict[str, dict[str, str]]:
        """The refusals of one operation by status, as references."""
        by_status: dict[int, list[str]] = {}
        for code in error_codes(operation):
            by_status.setdefault(ERRORS[code].status, []).append(code)
        answers = {
            str(status): self._reference(status, codes, relayed=operation.relayed and status in _RELAYED)
            for status, codes in sorted(by_status.items())
            if status not in operation.also
        }
        if operation.relayed:
            self.components["Relayed"] = {
                "description": "The model server's own refusal, relayed as it is.",
                "headers": {"x-request-id": _header("x-request-id")},
                "content": {JSON: {"schema": {"$ref": REF.format(name=UpstreamRefusal.__name__)}}},
            }
            relayed = "#/components/responses/Relayed"
            answers |= {statuses: {"$ref": relayed} for statuses in _ONLY_RELAYED}
        return answers

    def _reference(self, status: int, codes: list[str], *, relayed: bool) -> dict[str, str]:
        name = "".join(code.title().replace("_", "") for code in codes) + ("OrRelayed" if relayed else "")
        if name not in self.components:
            self.components[name] = _refusal(status, codes, relayed=relayed)
        return {"$ref": f"#/components/responses/{name}"}


def _refusal(status: int, codes: list[str], *, relayed: bool) -> dict[str, Any]:
    ours = {
        "allOf": [
            {"$ref": REF.format(name="Error")},
            {"properties": {"error": {"properties": {"code": {"enum": codes}}}}},
        ]
    }
    theirs = {"$ref": REF.format(name=UpstreamRefusal.__name__)}
    headers: dict[str, Any] = {"x-request-id": _header("x-request-id")}
    if status == 401:
        headers["WWW-Authenticate"] = _header("WWW-Authenticate")
    if status == 429 and not relayed:
        headers["Retry-After"] = _header("Retry-After")
    examples = {code: {"value": _example(code)} for code in codes}
    return {
        "description": " ".join(ERRORS[code].message for code in codes),
        "headers": headers,
        "content": {
            JSON: {"schema": {"anyOf": [ours, theirs]} if relayed else ours, "examples": examples},
        },
    }


_DETAILS: dict[str, dict[str, str | int]] = {
    "insufficient_permissions": {"required_scope": "admin:full"},
    "rate_limit_exceeded": {"retry_after": 7},
    "model_not_found": {"param": "model"},
    "model_not_allowed": {"param": "model"},
}


def _example(code: str) -> dict[str, Any]:
    kind = ERRORS[code]
    return {
        "error": {
            "code": code,
            "message": kind.message,
            "type": kind.type,
            **_DETAILS.get(code, {}),
            "request_id": "req_0UySTdUKAbcdefghijklmn",
        }
    }


def _error_schema() -> dict[str, Any]:
    return {
        "title": "Error",
        "description": "The envelope of every refusal.",
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message", "type", "request_id"],
                "properties": {
                    "code": {"type": "string", "enum": list(ERRORS)},
                    "message": {"type": "string", "description": "what is wrong and what to do about it"},
                    "type": {
                        "type": "string",
                        "enum": list(dict.fromkeys(kind.type for kind in ERRORS.values())),
                    },
                    "request_id": {"type": "string", "pattern": "^req_[0-9A-Za-z]{22}$"},
                    "required_scope": {
                        "type": "string",
                        "enum": list(SCOPES),
                        "description": "with insufficient_permissions",
                    },
                    "retry_after": {
                        "type": "integer",
                        "minimum": 1,
                        "description": "seconds, with rate_limit_exceeded",
                    },
                    "param": {"type": "string", "description": "the member that is wrong"},
                    "upstream_status": {"type": "integer", "description": "with upstream_error"},
                },
            }
        },
    }
