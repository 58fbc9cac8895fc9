"""Reading requests and writing answers: JSON to typed values and back, with errors that name the member."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, overload
from urllib.parse import parse_qs

import msgspec
from litestar import Request, Response
from msgspec import Meta

from innoai import json_shapes
from innoai.api.shape_errors import invalid
from innoai.errors import InnoError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T", bound=msgspec.Struct)
R = TypeVar("R")

JsonRequest = Request[Any, Any, Any]

MAX_BODY_BYTES = 1024 * 1024
MAX_AUTH_BODY_BYTES = 64 * 1024
"""Of what is read before anybody knows who asks: a credential, and a few words about it."""

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

_ENDS_EARLY = "Input data was truncated"
_position = re.compile(r"\(byte ([0-9]+)\)").search
_is_number = re.compile(r"-?[0-9]{1,9}", re.ASCII).fullmatch

# Python's $ also matches before a line feed at the end.
PRINTABLE = r"^[^\x00-\x1f\x7f]+$(?!\n)"
IN_WORDS = {"expected": "text on one line, without control characters"}
"""PRINTABLE as a refusal tells it."""

Name = Annotated[
    str,
    Meta(min_length=1, max_length=200, pattern=PRINTABLE, extra=IN_WORDS, description="a name for people"),
]
Search = Annotated[str, Meta(min_length=1, max_length=200, pattern=PRINTABLE, extra=IN_WORDS)]
Instant = Annotated[datetime, Meta(tz=True, description="an RFC 3339 instant with its offset")]
Limit = Annotated[int, Meta(ge=1, le=100, description="how many to list at most")]


def cursor_of(prefix: str) -> Meta:
    """What is to be said of the cursor of a list whose ids have that prefix."""
    return Meta(pattern=f"^{prefix}_[0-9A-Za-z]{{22}}$", description="the next_cursor of the page before")


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A list; `next_cursor` asks for what follows, and is null at the end."""

    object: Literal["list"] = "list"
    data: list[Any]
    next_cursor: str | None


def cut(found: Sequence[R], limit: int, cursor: Callable[[R], str]) -> tuple[Sequence[R], str | None]:
    """The page of what was found, of which one more was asked for, and the cursor that goes on behind it."""
    shown = found[:limit]
    return shown, cursor(shown[-1]) if len(found) > limit else None


@overload
def instant(seconds: float) -> datetime: ...
@overload
def instant(seconds: None) -> None: ...
@overload
def instant(seconds: float | None) -> datetime | None: ...
def instant(seconds: float | None) -> datetime | None:
    """Unix seconds as the API writes instants: RFC 3339 in UTC, whole seconds."""
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC)


async def raw_body(request: JsonRequest) -> bytes:
    """The body, at most MAX_BODY_BYTES, or MAX_AUTH_BODY_BYTES of a question about a credential.

    Raises:
        InnoError: payload_too_large.
    """
    most = MAX_AUTH_BODY_BYTES if request.url.path.startswith("/v1/auth/") else MAX_BODY_BYTES
    pieces = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > most:
            raise InnoError("payload_too_large", f"The body is larger than {most} bytes. Send less.")
        pieces.append(piece)
    return b"".join(pieces)


async def json_body(request: JsonRequest) -> bytes:
    """The body of a route that reads JSON alone. curl's -d calls it a form unless told otherwise: no matter.

    Raises:
        InnoError: unsupported_media_type, payload_too_large.
    """
    media_type = _media_type(request)
    if media_type not in (JSON, FORM):
        raise InnoError("unsupported_media_type")
    content = await raw_body(request)
    if media_type == FORM and content.lstrip()[:1] not in (b"{", b"[", b""):
        raise InnoError("unsupported_media_type")
    return content


async def read_body(request: JsonRequest, shape: type[T], *, form: bool = False) -> T:
    """The JSON body as `shape`; `form` says that the route also reads forms (RFC 7009, RFC 7662)."""
    if form and _media_type(request) == FORM:
        return decode_form(await raw_body(request), shape)
    return decode_json(await json_body(request), shape)


def decode_json(content: bytes, shape: type[T]) -> T:
    """A JSON object as `shape`.

    Raises:
        InnoError: invalid_request with the member in `param`.
    """
    try:
        content.decode()
        return json_shapes.decode(content, shape)
    except UnicodeDecodeError:
        raise InnoError("invalid_request", "The body is not UTF-8. Send JSON in UTF-8.") from None
    except msgspec.ValidationError as error:
        raise invalid(error, shape) from None
    except msgspec.DecodeError as error:
        raise InnoError("invalid_request", _no_json(content, str(error))) from None


def decode_form(content: bytes, shape: type[T]) -> T:
    """A urlencoded form as `shape`; a repeated field counts as an error (RFC 6749 §3.2)."""
    try:
        fields = parse_qs(content.decode("ascii"), keep_blank_values=True, strict_parsing=bool(content))
    except (UnicodeDecodeError, ValueError):
        raise InnoError("invalid_request", "The form is not urlencoded. Send name=value pairs.") from None
    repeated = next((name for name, values in fields.items() if len(values) > 1), None)
    if repeated is not None:
        raise InnoError("invalid_request", f"{repeated}: send it once.", param=repeated)
    return _convert({name: values[0] for name, values in fields.items()}, shape)


def read_query(request: JsonRequest, shape: type[T]) -> T:
    """The query string as `shape`; what the shape does not name is not looked at.

    Raises:
        InnoError: invalid_request with the parameter in `param`.
    """
    known = {field.encode_name: field.type for field in msgspec.structs.fields(shape)}
    values: dict[str, str | int] = {}
    for name, value in request.query_params.multi_items():
        if name in values:
            raise InnoError("invalid_request", f"{name}: send it once.", param=name)
        if name in known:
            takes_number = getattr(known[name], "__origin__", None) is int
            values[name] = int(value) if takes_number and _is_number(value) else value
    return _convert(values, shape)


def answer(content: msgspec.Struct | bytes, status: int = 200) -> Response[bytes]:
    """A JSON answer, not to be stored by caches since it speaks of credentials or of a tenant."""
    body = content if isinstance(content, bytes) else msgspec.json.encode(content)
    return Response(body, status_code=status, media_type=JSON, headers={"cache-control": "no-store"})


def as_shown(content: msgspec.Struct) -> dict[str, Any]:
    """What an answer says, as JSON values: what the audit log and events keep of an object."""
    shown: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(content))
    return shown


def _media_type(request: JsonRequest) -> str:
    stated: str = request.headers.get("content-type", JSON)
    return stated.partition(";")[0].strip().lower()


def _no_json(content: bytes, problem: str) -> str:
    if not content.strip():
        return "The body is empty. Send a JSON object."
    at = _position(problem)
    if at is not None and content[int(at[1]) :].lstrip()[:2] in (b"//", b"/*"):
        return (
            f"The body is not valid JSON: it has a comment at byte {at[1]}, and JSON has none. Leave it out."
        )
    if problem == _ENDS_EARLY:
        problem = "it ends too early, or has half of a surrogate pair"
    return f"The body is not valid JSON ({problem}). Send a JSON object."


def _convert(values: Mapping[str, str | int], shape: type[T]) -> T:
    try:
        return msgspec.convert(values, shape)
    except msgspec.ValidationError as error:
        raise invalid(error, shape) from None
