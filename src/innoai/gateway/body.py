"""The body of an inference request: which model it asks for, and how it goes on to a model server.

A JSON body is taken apart at its top level only and written again, so that the model that was
decided about is the model that is served, whatever duplicate or oddly spelled members came along;
everything below the top level goes on byte for byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from innoai.errors import InnoError
from innoai.inference import MAX_MODEL_NAME

if TYPE_CHECKING:
    from innoai.config import Upstream

_TRUE = b"true"
_split = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_options = msgspec.json.Decoder(dict[str, object] | None).decode
_boundary = re.compile(rb'boundary=(?:"([^"]{1,70})"|([^\s;,"]{1,70}))', re.IGNORECASE)
_disposition = re.compile(
    rb'^content-disposition:[^\r\n]*[;\s]name="?model"?(?:[;\s]|$)', re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class JsonBody:
    """A JSON object, split into its members. `wants_usage`: the caller asked a stream for its usage."""

    members: dict[str, msgspec.Raw]
    model: str
    streamed: bool
    wants_usage: bool

    def asks_for_hidden_usage(self, upstream: Upstream) -> bool:
        """Whether a stream has to be asked for usage that the caller must not see."""
        return self.streamed and upstream.include_usage and not self.wants_usage

    def encode(self, upstream: Upstream, *, usage_option: bool) -> bytes:
        """The body for a model server: its name of the model; usage asked for where the route has that."""
        members = dict(self.members)
        if upstream.model is not None:
            members["model"] = msgspec.Raw(msgspec.json.encode(upstream.model))
        if usage_option and self.asks_for_hidden_usage(upstream):
            options = _stream_options(self.members) or {}
            members["stream_options"] = msgspec.Raw(msgspec.json.encode(options | {"include_usage": True}))
        return msgspec.json.encode(members)


@dataclass(frozen=True, slots=True)
class MultipartBody:
    """A form with files: bytes as they came, and where the model's name stands in them."""

    content: bytes
    model: str
    start: int
    end: int

    def encode(self, upstream: Upstream) -> bytes:
        """The form for a model server, with its name of the model."""
        if upstream.model is None:
            return self.content
        return self.content[: self.start] + upstream.model.encode() + self.content[self.end :]


def read_json(content: bytes) -> JsonBody:
    """Take a JSON body apart.

    Raises:
        InnoError: invalid_request that names what is wrong.
    """
    try:
        content.decode()
        members = _split(content)
    except UnicodeDecodeError:
        raise InnoError("invalid_request", "The body is not UTF-8. Send JSON in UTF-8.") from None
    except msgspec.ValidationError:
        raise InnoError("invalid_request", "The body must be a JSON object with a model.") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise InnoError("invalid_request", f"The body is not valid JSON: {error}.") from None
    if len({name.lower() for name in members}) != len(members):
        raise InnoError("invalid_request", "The body has two members whose names differ only in case.")
    options = _stream_options(members)
    return JsonBody(
        members,
        _model(members),
        streamed=_is_true(members, "stream"),
        wants_usage=options is not None and options.get("include_usage") is True,
    )


def read_multipart(content: bytes, content_type: bytes) -> MultipartBody:
    """Find the model in a multipart/form-data body (RFC 7578).

    Raises:
        InnoError: invalid_request without a boundary, or unless exactly one part is the model.
    """
    boundaries = _boundary.findall(content_type)
    if len(boundaries) != 1:
        raise InnoError("invalid_request", "The multipart Content-Type must have exactly one boundary.")
    delimiter = b"--" + b"".join(boundaries[0])
    found = list(_model_parts(content, delimiter))
    if len(found) != 1:
        raise InnoError(
            "invalid_request", "Name the model in exactly one form field called model.", param="model"
        )
    start, end = found[0]
    return MultipartBody(content, _checked_name(content[start:end].decode("utf-8", "replace")), start, end)


def _model_parts(content: bytes, delimiter: bytes) -> list[tuple[int, int]]:
    """Start and end of the value of each part that is named `model`."""
    parts = []
    position = content.find(delimiter)
    while position != -1:
        following = content.find(b"\r\n" + delimiter, position + len(delimiter))
        head_end = content.find(b"\r\n\r\n", position)
        if following == -1:
            break
        if position + len(delimiter) <= head_end < following:
            head = content[position + len(delimiter) : head_end].replace(b"\r\n", b"\n")
            if _disposition.search(head) is not None:
                parts.append((head_end + 4, following))
        position = following + 2
    return parts


def _model(members: dict[str, msgspec.Raw]) -> str:
    if "model" not in members:
        raise InnoError(
            "invalid_request", "The body names no model. Add one of GET /v1/models as model.", param="model"
        )
    try:
        return _checked_name(msgspec.json.decode(members["model"], type=str))
    except msgspec.DecodeError:
        raise InnoError("invalid_request", "model must be a string.", param="model") from None


def _checked_name(name: str) -> str:
    if not 0 < len(name) <= MAX_MODEL_NAME:
        raise InnoError(
            "invalid_request", f"model must have from 1 to {MAX_MODEL_NAME} characters.", param="model"
        )
    return name


def _is_true(members: dict[str, msgspec.Raw], name: str) -> bool:
    return name in members and bytes(members[name]).strip() == _TRUE


def _stream_options(members: dict[str, msgspec.Raw]) -> dict[str, object] | None:
    if "stream_options" not in members:
        return None
    try:
        options: dict[str, object] | None = _options(members["stream_options"])
    except msgspec.DecodeError:
        raise InnoError(
            "invalid_request", "stream_options must be an object.", param="stream_options"
        ) from None
    return options
