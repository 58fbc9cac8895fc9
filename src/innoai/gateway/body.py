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
from innoai.metering.bounds import BOUNDING, CAP_MEMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from innoai.config import Upstream

_TRUE, _FALSE, _NULL = b"true", b"false", b"null"
_split = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_name = msgspec.json.Decoder(str).decode
_options = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode
MOST_MEMBERS = 1000
MOST_PARTS = 1000
MOST_PART_HEAD = 8 * 1024
"""Members of a JSON object, parts of a form, and bytes of a part's head: more is nobody's request."""

MOST_EXPLAINED = 16 * 1024
"""Bytes of a body that is no JSON in which the fault is looked for."""

_ELSEWHERE = frozenset(
    (
        "models",
        "route",
        "fallbacks",
        "fallback_models",
        "default_fallbacks",
        "model_list",
        "context_window_fallbacks",
        "context_window_fallback_dict",
        "content_policy_fallbacks",
        "provider",
        "custom_llm_provider",
        "api_base",
        "base_url",
        "api_key",
        "extra_body",
    )
)
"""Members by which OpenRouter, LiteLLM and their like ask another model, or whoever has another price."""

_NOTHING = (b"null", b"[]", b"{}")
"""What clients write for a member that they do not use."""

_ROUTED = _ELSEWHERE | {"service_tier"}
_PLAIN_TIERS = frozenset(("auto", "default", "flex", "on_demand", "standard_only"))
"""Values of service_tier that cost no more than a request without it."""

_DECIDED = frozenset(("model", "stream", "stream_options", "background")) | BOUNDING | _ROUTED
"""The members that a decision, or the answer's metering, rests on."""

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# Some servers take a backslash before a quote for an escape and some do not, so there must be none.
_VALUE = rb"""([^\s;,"\\]+|"[^"\r\n]*(?<!\\)")"""
# Blanks are taken possessively: what is looked at again for each of many is looked at for ever.
_PARAMETER = rb";[ \t]*+(" + _TOKEN + rb")=" + _VALUE + rb"[ \t]*+"
_parameters = re.compile(_PARAMETER).findall
_is_form_type = re.compile(rb"multipart/form-data[ \t]*+(" + _PARAMETER + rb")+", re.IGNORECASE).fullmatch
_is_boundary = re.compile(rb"[0-9A-Za-z'()+_,./:=?-]{1,70}").fullmatch
_header = re.compile(rb"(" + _TOKEN + rb"):[ \t]*+([^\r\n\0]*+)").fullmatch
_is_disposition = re.compile(rb"form-data[ \t]*+(" + _PARAMETER + rb")+", re.IGNORECASE).fullmatch
_is_field_name = re.compile(rb"[0-9A-Za-z_.\[\]-]{1,100}").fullmatch


_escapes = re.compile(
    # A pair is taken whole, so that what is left is half of one; any other escape is read over.
    rb"\\(?:ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|(ud[89a-f][0-9a-f]{2})|.)",
    re.IGNORECASE | re.DOTALL,
).finditer


class JsonBody(msgspec.Struct, frozen=True):
    """A JSON object, split into its members. `options`: the members of its stream_options."""

    members: dict[str, msgspec.Raw]
    model: str
    streamed: bool
    options: dict[str, msgspec.Raw]

    @property
    def wants_usage(self) -> bool:
        """Whether the caller asked a stream for its usage."""
        asked = self.options.get("include_usage")
        return asked is not None and bytes(asked) == _TRUE

    @property
    def waits_for_the_answer(self) -> bool:
        """Whether it asks for the answer itself, not for one in the background (Responses API)."""
        background = self.members.get("background")
        return background is None or bytes(background).strip() in (_FALSE, _NULL)

    def asks_for_hidden_usage(self, upstream: Upstream) -> bool:
        """Whether a stream has to be asked for usage that the caller must not see."""
        return self.streamed and upstream.include_usage and not self.wants_usage

    def encode(self, upstream: Upstream, *, usage_option: bool, cap: tuple[str, int] | None = None) -> bytes:
        """The body for a model server: its name of the model; usage asked for where the route has that.

        `cap` is the member that bounds the answer, and its value.
        """
        members = self.members
        if upstream.model is not None:
            members = members | {"model": msgspec.Raw(msgspec.json.encode(upstream.model))}
        if usage_option and self.asks_for_hidden_usage(upstream):
            with_usage = msgspec.Raw(
                msgspec.json.encode(self.options | {"include_usage": msgspec.Raw(_TRUE)})
            )
            members = members | {"stream_options": with_usage}
        if cap is not None:
            # Alone, since a model server may go by another name for it.
            others = {name: value for name, value in members.items() if name not in CAP_MEMBERS}
            members = others | {cap[0]: msgspec.Raw(b"%d" % cap[1])}
        return msgspec.json.encode(members)


@dataclass(frozen=True, slots=True)
class MultipartBody:
    """A form with files: bytes as they came, and where the model's name stands in them.

    `counts`: how many answers it asks for, as it says so.
    """

    content: bytes
    model: str
    start: int
    end: int
    counts: tuple[bytes, ...] = ()

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
        if not content.isascii():
            content.decode()
        members = _split(content)
    except UnicodeDecodeError:
        raise InnoError("invalid_request", "The body is not UTF-8. Send JSON in UTF-8.") from None
    except msgspec.ValidationError:
        raise InnoError("invalid_request", "The body must be a JSON object with a model.") from None
    except (msgspec.DecodeError, RecursionError) as error:
        why = "it has half of a surrogate pair" if _has_half_a_pair(content) else str(error)
        raise InnoError("invalid_request", f"The body is not valid JSON: {why}.") from None
    if len(members) > MOST_MEMBERS:
        raise InnoError("invalid_request", f"The body has more than {MOST_MEMBERS} members. Send fewer.")
    names = "".join(members)
    if not (names.isascii() and names.islower()):
        _check_names(members)
    if not _ROUTED.isdisjoint(members):
        _check_routing(members)
    if "stream" not in members and "stream_options" not in members:
        return JsonBody(members, _model(members), streamed=False, options={})
    options = _stream_options(members)
    return JsonBody(members, _model(members), streamed=_stream(members), options=options)


def _has_half_a_pair(content: bytes) -> bool:
    """Whether JSON that could not be read has one: the parser says only that it ended too early.

    Not looked for in what is large: it is but a better word, and everybody waits meanwhile.
    """
    return len(content) <= MOST_EXPLAINED and any(escape[1] is not None for escape in _escapes(content))


def _check_names(members: dict[str, msgspec.Raw]) -> None:
    """Some servers read names whatever their case; of other members nothing is decided here."""
    for name in members:
        plain = name.casefold()
        if plain in _DECIDED and name != plain:
            raise InnoError("invalid_request", f"Write {plain} in lower case.", param=plain)


def _check_routing(members: dict[str, msgspec.Raw]) -> None:
    """What was decided is decided about one model at its price, so nothing may name another."""
    for name in _ROUTED & members.keys():
        value = bytes(members[name]).strip()
        if name == "service_tier":
            _check_tier(value)
        elif value not in _NOTHING:
            raise _names_another(name)


def _check_tier(value: bytes) -> None:
    if value != _NULL and value not in {b'"%b"' % tier.encode() for tier in _PLAIN_TIERS}:
        tiers = ", ".join(sorted(_PLAIN_TIERS))
        message = f"service_tier must be one of {tiers} here: others have other prices."
        raise InnoError("invalid_request", message, param="service_tier")


def _names_another(name: str) -> InnoError:
    message = f"{name} is not offered here: it may lead to another model or price. Leave it out."
    return InnoError("invalid_request", message, param=name)


def read_multipart(content: bytes, content_type: bytes) -> MultipartBody:
    """Find the model in a multipart/form-data body (RFC 7578).

    Only the strictest spelling is taken, so that no model server reads other parts, or other names,
    than were read here: lines end in CRLF, nothing is folded, the boundary delimits wherever it stands.

    Raises:
        InnoError: invalid_request for what is no such form, or unless exactly one part is the model.
    """
    delimiter = b"--" + _boundary(content_type)
    parts = [(name.lower(), start, end) for name, start, end in _parts(content, delimiter)]
    _check_fields(content, parts)
    models = [(start, end) for name, start, end in parts if name == b"model"]
    counts = tuple(content[start:end] for name, start, end in parts if name == b"n")
    if len(models) != 1:
        raise InnoError(
            "invalid_request", "Name the model in exactly one form field called model.", param="model"
        )
    start, end = models[0]
    try:
        return MultipartBody(content, _checked_name(content[start:end].decode()), start, end, counts)
    except UnicodeDecodeError:
        raise InnoError("invalid_request", "model must be UTF-8.", param="model") from None


def _check_fields(content: bytes, parts: list[tuple[bytes, int, int]]) -> None:
    """As of members; a name may be followed by brackets, as of a list."""
    for field, start, end in parts:
        name = field.partition(b"[")[0].decode()
        if name == "service_tier":
            _check_tier(b'"%b"' % content[start:end])
        elif name in _ELSEWHERE:
            raise _names_another(name)


def _boundary(content_type: bytes) -> bytes:
    """The one boundary of a Content-Type (RFC 2046 §5.1.1)."""
    values = _values(content_type, b"boundary") if _is_form_type(content_type) else []
    if len(values) != 1 or _is_boundary(values[0]) is None:
        raise InnoError("invalid_request", "The multipart Content-Type must have exactly one boundary.")
    return values[0]


def _parts(content: bytes, delimiter: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Each part's name, and start and end of its value."""
    if not content.startswith(delimiter + b"\r\n"):
        raise _no_form("It does not begin with its boundary")
    position = len(delimiter)
    parts = 0
    while content[position : position + 2] == b"\r\n":
        parts += 1
        if parts > MOST_PARTS:
            raise _no_form(f"It has more than {MOST_PARTS} parts")
        following = content.find(delimiter, position)
        if following == -1 or content[following - 2 : following] != b"\r\n":
            raise _no_form("A part ends in no delimiter")
        head_end = content.find(b"\r\n\r\n", position, min(following - 2, position + MOST_PART_HEAD))
        if head_end == -1:
            raise _no_form(f"A part has no head, or one of more than {MOST_PART_HEAD} bytes")
        yield _name_of_part(content[position + 2 : head_end]), head_end + 4, following - 2
        position = following + len(delimiter)
    if content[position : position + 2] != b"--" or content.find(delimiter, position) != -1:
        raise _no_form("A delimiter is followed by something else")


def _name_of_part(head: bytes) -> bytes:
    fields = [_header(line) for line in head.split(b"\r\n")]
    dispositions = [
        field[2] for field in fields if field is not None and field[1].lower() == b"content-disposition"
    ]
    if None in fields or len(dispositions) != 1 or _is_disposition(dispositions[0]) is None:
        raise _no_form("A part's head is malformed, or has a backslash before a quote, which is written %22")
    names = _values(dispositions[0], b"name")
    if len(names) != 1 or _is_field_name(names[0]) is None or _values(dispositions[0], b"name*"):
        raise _no_form("A part's name is not of letters, digits and _ . [ ] - alone")
    return names[0]


def _values(field: bytes, name: bytes) -> list[bytes]:
    """The values of a parameter of a header, without their quotes."""
    return [
        value.removeprefix(b'"').removesuffix(b'"')
        for found, value in _parameters(field)
        if found.lower() == name
    ]


def _no_form(why: str) -> InnoError:
    message = f"The form is not in the one spelling that all servers read alike: {why}."
    return InnoError("invalid_request", message)


def _model(members: dict[str, msgspec.Raw]) -> str:
    if "model" not in members:
        raise InnoError(
            "invalid_request", "The body names no model. Add one of GET /v1/models as model.", param="model"
        )
    try:
        return _checked_name(_name(members["model"]))
    except msgspec.DecodeError:
        raise InnoError("invalid_request", "model must be a string.", param="model") from None


def _checked_name(name: str) -> str:
    if not 0 < len(name) <= MAX_MODEL_NAME:
        raise InnoError(
            "invalid_request", f"model must have from 1 to {MAX_MODEL_NAME} characters.", param="model"
        )
    return name


def _stream(members: dict[str, msgspec.Raw]) -> bool:
    """Whether to stream; what some model servers would take for true, such as 1, is refused."""
    value = bytes(members["stream"]).strip() if "stream" in members else _NULL
    if value not in (_TRUE, _FALSE, _NULL):
        raise InnoError("invalid_request", "stream must be true or false.", param="stream")
    return value == _TRUE


def _stream_options(members: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    if "stream_options" not in members:
        return {}
    try:
        return _options(members["stream_options"]) or {}
    except (msgspec.DecodeError, RecursionError):
        raise InnoError(
            "invalid_request", "stream_options must be an object.", param="stream_options"
        ) from None
