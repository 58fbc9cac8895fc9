"""The one table of error codes: status, type and the sentence a caller reads.

Every refusal on every route is one of these rows in the envelope
`{"error": {"code", "message", "type", "request_id", …}}`. The SDKs' typed errors and the
error catalogue in the documentation are held to this table by tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One row: HTTP status, the envelope's `type`, and the message used when there is none more precise."""

    status: int
    type: str
    message: str


ERRORS: Mapping[str, ErrorKind] = MappingProxyType(
    {
        "invalid_request": ErrorKind(
            400, "invalid_request_error", "The request is not valid. Correct it and send it again."
        ),
        "invalid_api_key": ErrorKind(
            401, "authentication_error", "The provided API key is invalid or has been revoked."
        ),
        "token_expired": ErrorKind(
            401,
            "authentication_error",
            "The access token has expired. Get a new one from POST /v1/auth/refresh or POST /v1/auth/token.",
        ),
        "insufficient_quota": ErrorKind(
            402,
            "insufficient_quota",
            "The budget for this credential is used up. Raise it, or wait for the next period.",
        ),
        "insufficient_permissions": ErrorKind(
            403, "authorization_error", "Your API key does not have permission to perform this action."
        ),
        "ip_not_allowed": ErrorKind(
            403,
            "authorization_error",
            "This credential may not be used from your address. Call from one of the key's allowed_ips.",
        ),
        "model_not_allowed": ErrorKind(
            403,
            "authorization_error",
            "This credential may not use that model. GET /v1/models lists those that it may use.",
        ),
        "not_found": ErrorKind(
            404, "invalid_request_error", "Nothing is here. Check the path and the id in it."
        ),
        "model_not_found": ErrorKind(
            404,
            "invalid_request_error",
            "No model of that name is served here. GET /v1/models lists the models.",
        ),
        "method_not_allowed": ErrorKind(
            405,
            "invalid_request_error",
            "This path does not take that method. The Allow header lists those that it takes.",
        ),
        "conflict": ErrorKind(409, "invalid_request_error", "That conflicts with what exists already."),
        "payload_too_large": ErrorKind(
            413, "invalid_request_error", "The request body is too large. Send a smaller one."
        ),
        "unsupported_media_type": ErrorKind(
            415,
            "invalid_request_error",
            "The body's Content-Type is not one that this route reads. Send application/json.",
        ),
        "rate_limit_exceeded": ErrorKind(
            429, "rate_limit_error", "Rate limit exceeded. Please try again later."
        ),
        "headers_too_large": ErrorKind(
            431, "invalid_request_error", "The request's headers are too large. Send fewer or shorter ones."
        ),
        "internal_error": ErrorKind(
            500,
            "server_error",
            "Something went wrong in the gateway. Try again, and report the request_id if it stays.",
        ),
        "upstream_error": ErrorKind(
            502, "upstream_error", "The model server could not answer. Try again shortly."
        ),
        "service_unavailable": ErrorKind(
            503,
            "server_error",
            "The gateway cannot decide about this request right now. Try again shortly.",
        ),
        "upstream_timeout": ErrorKind(
            504, "upstream_error", "The model server took too long to answer. Try again shortly."
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request goes no further: a code of ERRORS, the sentence, and members that the code adds.

    `details` holds what the envelope carries beside the four common members: `required_scope`,
    `retry_after` (whole seconds), `param` (the offending member).
    """

    code: str
    message: str
    details: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def kind(self) -> ErrorKind:
        """The row of the table."""
        return ERRORS[self.code]

    def envelope(self, request_id: str) -> dict[str, dict[str, str | int]]:
        """The JSON body that a caller receives."""
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "type": self.kind.type,
                **self.details,
                "request_id": request_id,
            }
        }


def refusal(code: str, message: str | None = None, **details: str | int) -> Refusal:
    """A refusal by code, with the table's sentence unless a more precise one is given."""
    return Refusal(code, ERRORS[code].message if message is None else message, details)


NO_CREDENTIAL = refusal(
    "invalid_api_key", "No API key was provided. Send it as: Authorization: Bearer YOUR_API_KEY"
)


class InnoError(Exception):
    """Raised where a rule is broken; turned into HTTP in exactly one place per server half.

    `headers` go with the answer, as Allow does with method_not_allowed.
    """

    def __init__(self, code: str, message: str | None = None, **details: str | int) -> None:
        self.refusal = refusal(code, message, **details)
        self.headers: list[tuple[bytes, bytes]] = []
        super().__init__(f"{code}: {self.refusal.message}")

    @classmethod
    def of(cls, refused: Refusal, headers: list[tuple[bytes, bytes]] | None = None) -> InnoError:
        """A refusal that was decided elsewhere, to be raised here."""
        error = cls(refused.code, refused.message, **refused.details)
        error.headers = headers or []
        return error
