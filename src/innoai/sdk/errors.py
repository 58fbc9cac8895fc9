"""The server's refusals as exceptions: one class a code, each also openai's class for the status."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from openai import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    InternalServerError,
    NotFoundError,
    OpenAIError,
    PermissionDeniedError,
    RateLimitError,
)

if TYPE_CHECKING:
    import httpx2


class MissingApiKey(OpenAIError):
    """No API key was given and INNOAI_API_KEY is not set."""


class InnoAIError(APIStatusError):
    """A refusal by the server. `code`, `type` and `param` are the envelope's members.

    required_scope: the scope that would have allowed the request, on insufficient_permissions.
    retry_after: seconds to wait, on rate_limit_exceeded (and wherever else the server names a wait).
    request_id: the id to quote to the operator, `req_…`.
    """

    required_scope: str | None
    retry_after: int | None

    def __init__(self, message: str, *, response: httpx2.Response, body: object | None) -> None:
        super().__init__(message, response=response, body=body)
        envelope = body if isinstance(body, Mapping) else {}
        self.request_id = self.request_id or _text(envelope.get("request_id"))
        self.required_scope = _text(envelope.get("required_scope"))
        self.retry_after = _seconds(envelope.get("retry_after", response.headers.get("retry-after")))


class UnreadableAnswer(InnoAIError):
    """What answered is not innoai's API, such as a web page: `base_url` names something else, or lacks `/v1`.

    `status_code` is that of the answer, 2xx or 3xx.
    """


class InvalidApiKey(InnoAIError, AuthenticationError):
    """401: the key or token is malformed, unknown, revoked or disabled."""


class TokenExpired(InnoAIError, AuthenticationError):
    """401: the access or refresh token has outlived its lifetime."""


class InsufficientPermissions(InnoAIError, PermissionDeniedError):
    """403: the credential lacks `required_scope`."""


class IpNotAllowed(InnoAIError, PermissionDeniedError):
    """403: the key's allowed_ips do not contain the caller's address."""


class ModelNotAllowed(InnoAIError, PermissionDeniedError):
    """403: the model exists, but not for this key."""


class ModelNotFound(InnoAIError, NotFoundError):
    """404: no such model here."""


class InsufficientQuota(InnoAIError):
    """402: the budget is used up."""


class RateLimitExceeded(InnoAIError, RateLimitError):
    """429: more than the key's requests a minute; wait `retry_after` seconds."""


class InvalidRequest(InnoAIError, BadRequestError):
    """400: the request does not fit the route; `param` names the member."""


class NotFound(InnoAIError, NotFoundError):
    """404: no such route or resource."""


class MethodNotAllowed(InnoAIError):
    """405: the route has no such method."""


class Conflict(InnoAIError, ConflictError):
    """409: it exists already, or its state forbids this."""


class PayloadTooLarge(InnoAIError):
    """413: the body is larger than the server takes."""


class HeadersTooLarge(InnoAIError):
    """431: the header fields are larger than the server takes."""


class UnsupportedMediaType(InnoAIError):
    """415: the route does not read this content type."""


class UpstreamError(InnoAIError, InternalServerError):
    """502: the model server failed."""


class UpstreamTimeout(InnoAIError, InternalServerError):
    """504: the model server did not answer in time."""


class ServiceUnavailable(InnoAIError, InternalServerError):
    """503: the server cannot decide or serve at the moment."""


class InternalError(InnoAIError, InternalServerError):
    """500: a fault of the server; quote `request_id` to its operator."""


BY_CODE: Mapping[str, type[InnoAIError]] = MappingProxyType(
    {
        "invalid_api_key": InvalidApiKey,
        "token_expired": TokenExpired,
        "insufficient_permissions": InsufficientPermissions,
        "ip_not_allowed": IpNotAllowed,
        "model_not_allowed": ModelNotAllowed,
        "model_not_found": ModelNotFound,
        "insufficient_quota": InsufficientQuota,
        "rate_limit_exceeded": RateLimitExceeded,
        "invalid_request": InvalidRequest,
        "not_found": NotFound,
        "method_not_allowed": MethodNotAllowed,
        "conflict": Conflict,
        "payload_too_large": PayloadTooLarge,
        "headers_too_large": HeadersTooLarge,
        "unsupported_media_type": UnsupportedMediaType,
        "upstream_error": UpstreamError,
        "upstream_timeout": UpstreamTimeout,
        "service_unavailable": ServiceUnavailable,
        "internal_error": InternalError,
    }
)


def typed_error(message: str, *, body: object, response: httpx2.Response) -> InnoAIError | None:
    """The exception for an answer in the server's envelope; None when the code is not the server's."""
    envelope = body.get("error") if isinstance(body, Mapping) else None
    code = envelope.get("code") if isinstance(envelope, Mapping) else None
    kind = BY_CODE.get(code) if isinstance(code, str) else None
    return kind(message, response=response, body=envelope) if kind else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _seconds(value: object) -> int | None:
    """Whole seconds, from the envelope's number or the header's digits (its date form is not read)."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
