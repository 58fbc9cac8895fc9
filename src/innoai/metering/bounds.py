"""The most that a request can cost, told from its body: what a budget has to cover before it begins.

Upper bounds, not guesses: a token is at least one byte of text, whatever the tokeniser. A picture or a
sound counts as FILE_TOKENS; what a request only refers to, and documents, as all that the model can read. So
does what is said in a way that is not known to be text: each model server has spellings of its own for what
it fetches. What cannot be bounded because it is oddly written is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from innoai.errors import InnoError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

FILE_TOKENS = 50_000
"""More than any image or sound of a usual size takes of a prompt."""

UNKNOWN_PROMPT = 200_000
"""For a prompt that the model server keeps, where nobody knows how much the model can read."""

UNKNOWN_ANSWER = 4096
"""For the longest answer, where nobody knows; what is sent on then asks for no more."""

MOST_CONTAINERS = 100_000
"""Lists and objects in a request whose tokens are counted; of what has more, the bytes are."""

_ITEM = 8
"""Tokens that a message, a part or a tool takes beside its text."""

_ENDS = 2
"""Tokens that a tokeniser puts around a text."""

_CAPS = {
    "/v1/chat/completions": ("max_tokens", "max_completion_tokens"),
    "/v1/completions": ("max_tokens",),
    "/v1/responses": ("max_output_tokens",),
}
"""Routes whose answers are text, and the members that bound it."""

CAP_MEMBERS = frozenset(("n_predict", *(name for names in _CAPS.values() for name in names)))
"""All that bounds an answer anywhere. llama.cpp's server reads n_predict in place of any other."""

_COUNTS = ("n", "best_of")
_OPENAI_HOSTS = (
    ".openai.com",
    *(
        f".{service}.azure.{cloud}"
        for service in ("openai", "cognitiveservices", "services.ai")
        for cloud in ("com", "us", "cn")
    ),
)
_OPENAI_BEHIND = {"gateway.ai.cloudflare.com": "/openai"}
"""Hosts that pass on to many vendors, and what stands in the path to OpenAI's."""

_OTHER_MODELS = "/models"
"""The path at which Azure serves other vendors' models by their own names of things."""

_ANSWERLESS = frozenset(("/v1/embeddings", "/v1/moderations"))
_PICTURES = frozenset(("/v1/images/generations", "/v1/images/edits", "/v1/images/variations"))
_REFERRING = frozenset(("previous_response_id", "conversation", "file_ids", "web_search_options"))
"""Members by which the model server reads what the request does not hold."""

BOUNDING = CAP_MEMBERS | _REFERRING | {*_COUNTS, "prompt", "tools"}
"""The members that a bound rests on."""

_DIGITS = 9
_decode = msgspec.json.Decoder().decode
_OWN_TOOLS = frozenset(("function", "custom"))
"""Types of tools whose results the caller sends itself; others read what they like."""

_SETTINGS = frozenset(
    ("model", "stream", "stream_options", "n", "best_of", "temperature", "top_p", "user", "metadata")
)
_FILES = frozenset(("image_url", "input_audio", "input_image", "audio_url"))
_ITEM_REFERENCE = "item_reference"
"""The type of an item of the Responses API that stands for one which the model server keeps."""

_DOCUMENTS = frozenset(("file", "file_id", "file_url", "file_data", "video_url"))

_SAID = frozenset(("messages", "input", "prompt", "prediction"))
"""Members whose objects may hold pictures, videos and whatever else a model server fetches."""

_KNOWN_TYPES = frozenset(
    (
        "text",
        "input_text",
        "output_text",
        "reasoning_text",
        "summary_text",
        "thinking",
        "redacted_thinking",
        "refusal",
        "content",
        "message",
        "reasoning",
        "function",
        "function_call",
        "function_call_output",
        "custom",
        "custom_tool_call",
        "custom_tool_call_output",
        # What these hold stands under one of _FILES and _DOCUMENTS.
        "image_url",
        "input_image",
        "input_audio",
        "audio_url",
        "video_url",
        "file",
        "input_file",
    )
)
"""Types of what is said that are text, or whose files are known by name."""

_WHATEVER_SHAPE = frozenset(
    (
        "arguments",
        "annotations",
        "cache_control",
        "logprobs",
        "metadata",
        "reasoning_details",
        # What clients send back of an answer as they got it, some of it vendors' own.
        "extra_content",
        "provider_specific_fields",
        "thinking_blocks",
        "parsed",
        "parsed_arguments",
    )
)
"""Members of what is said that are text to a model, if anything, whatever objects are in them."""

_KNOWN_NAMES = _WHATEVER_SHAPE | {
    "type",
    "role",
    "name",
    "id",
    "index",
    "status",
    "phase",
    "content",
    "text",
    "refusal",
    "reasoning",
    "reasoning_content",
    "encrypted_content",
    "thinking",
    "signature",
    "summary",
    "tool_calls",
    "tool_call_id",
    "call_id",
    "function",
    "function_call",
    "custom",
    "input",
    "output",
    "prefix",
    "partial",
    "detail",
    "filename",
}
"""Members of what is said that are text, or hold what is said in turn."""


def can_be_capped(path: str) -> bool:
    """Whether the route has a member that bounds the answer."""
    return path in _CAPS


def costs_by_the_answer(path: str) -> bool:
    """Whether each answer, a picture, costs what a request does; tokens tell how many there are elsewhere."""
    return path in _PICTURES


def cap_member(path: str, base_url: str, stated: str | None = None) -> str:
    """The member that bounds the answer, as this model server knows it: of chat completions, as `stated`.

    OpenAI's reasoning models take the newer name of chat completions alone, and some servers the older.
    """
    older, newer = _CAPS[path][0], _CAPS[path][-1]
    if stated in _CAPS[path]:
        return stated
    return newer if _is_openai(base_url) else older


def _is_openai(base_url: str) -> bool:
    """Whether OpenAI's own models answer there, at OpenAI, at Azure or through Cloudflare."""
    address = urlsplit(base_url)
    host = (address.hostname or "").removesuffix(".")
    if host in _OPENAI_BEHIND:
        return _OPENAI_BEHIND[host] in address.path
    return f".{host}".endswith(_OPENAI_HOSTS) and not address.path.startswith(_OTHER_MODELS)


def prompt_tokens(members: Mapping[str, msgspec.Raw], context_window: int | None) -> int:
    """At most so many tokens are read.

    Raises:
        InnoError: invalid_request for a member that is no JSON below the top level.
    """
    most = context_window or UNKNOWN_PROMPT
    read = {name: value for name, value in members.items() if name not in _SETTINGS}
    if sum(map(_containers, read.values())) > MOST_CONTAINERS:
        # Each has two bytes at least.
        return context_window or _ITEM * sum(len(bytes(value)) for value in read.values())
    values = {name: _read(value) for name, value in read.items()}
    # A text where a completion is asked for, but an object where a stored prompt is meant.
    refers = isinstance(values.get("prompt"), dict) or _has_hosted_tool(values.get("tools"))
    refers = refers or _has_reference(values.get("input"))
    if refers or any(values[name] is not None for name in _REFERRING.intersection(values)):
        return most
    tokens = _ITEM + _tokens(values, most)
    return tokens if context_window is None else min(tokens, context_window)


def answers(members: Mapping[str, msgspec.Raw]) -> int:
    """How many answers the request asks for: completions of several prompts are several for each.

    Raises:
        InnoError: invalid_request for a number that is none.
    """
    return max([1, *_numbers(members, _COUNTS).values()]) * _prompts(members)


def answers_of_form(counts: Iterable[bytes]) -> int:
    """The same for a form, given what it has for `n`.

    Raises:
        InnoError: invalid_request for a number that is none.
    """
    numbers = [1]
    for count in counts:
        if not (count.isdigit() and len(count) <= _DIGITS):
            raise _no_number("n")
        numbers.append(int(count))
    return max(numbers)


def stated_cap(members: Mapping[str, msgspec.Raw], path: str) -> int | None:
    """The tokens that the caller wants an answer to have at most; None where it does not say.

    Zero is for the prompt of a completion to be scored; it is no cap of a chat, where some servers read it as
    no bound at all.

    Raises:
        InnoError: invalid_request for a number that is none.
    """
    stated = _numbers(members, CAP_MEMBERS)
    # Another route's name may be read for more, but no server is sure to know it.
    if stated.keys().isdisjoint(_CAPS.get(path, ())):
        return None
    least, most = min(stated.values()), max(stated.values())
    # Below one, some servers take it for no bound at all, whatever else is stated.
    return most if least > 0 or (least == most == 0 and path == "/v1/completions") else None


def longest_answer(path: str, max_output_tokens: int | None) -> int:
    """The tokens of the longest answer that one may get without a cap of one's own."""
    return 0 if path in _ANSWERLESS else max_output_tokens or UNKNOWN_ANSWER


def _numbers(members: Mapping[str, msgspec.Raw], names: Collection[str]) -> dict[str, int]:
    """Those of the names that have a whole number, however it is written; null is none.

    Model servers differ about anything else.
    """
    found = {}
    for name, value in members.items():
        if name in names:
            number = _read(value)
            if isinstance(number, float) and number.is_integer():
                number = int(number)
            if isinstance(number, int) and not isinstance(number, bool):
                found[name] = number
            elif number is not None:
                raise _no_number(name)
    return found


def _prompts(members: Mapping[str, msgspec.Raw]) -> int:
    """How many prompts there are. A list of numbers is one, written in tokens."""
    prompt = _read(members["prompt"]) if "prompt" in members else None
    if not isinstance(prompt, list) or _are_numbers(prompt):
        return 1
    return max(1, len(prompt))


def _has_hosted_tool(tools: object) -> bool:
    return isinstance(tools, list) and any(
        isinstance(tool, dict) and str(tool.get("type", "function")) not in _OWN_TOOLS for tool in tools
    )


def _has_reference(items: object) -> bool:
    return isinstance(items, list) and any(
        isinstance(item, dict) and item.get("type") == _ITEM_REFERENCE for item in items
    )


def _containers(value: msgspec.Raw) -> int:
    text = bytes(value)
    return text.count(b"[") + text.count(b"{")


def _read(value: msgspec.Raw) -> object:
    try:
        return _decode(value)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InnoError("invalid_request", f"The body is not valid JSON: {error}.") from None


def _no_number(name: str) -> InnoError:
    return InnoError("invalid_request", f"{name} must be a whole number.", param=name)


def _tokens(values: Mapping[str, object], most: int) -> int:
    """Without recursion, since a value may be as deep as its sender likes."""
    tokens, reads_all = 0, False
    left = [(value, name in _SAID) for name, value in values.items()]
    while left:
        value, is_said = left.pop()
        if isinstance(value, str):
            tokens += len(value.encode()) + _ENDS
        elif isinstance(value, list):
            if _are_numbers(value):
                # They are tokens already, as embeddings take them.
                tokens += len(value) + _ENDS
            else:
                left += [(item, is_said) for item in value]
        elif isinstance(value, dict):
            is_known = not is_said or _is_known(value)
            tokens += _ITEM
            reads_all |= not is_known
            for name, member in value.items():
                if name in _DOCUMENTS:
                    reads_all = True
                elif name in _FILES:
                    # One has one address; of a list nobody knows how many it stands for.
                    reads_all |= isinstance(member, list)
                    tokens += FILE_TOKENS
                else:
                    tokens += len(name.encode())
                    left.append((member, is_said and is_known and name not in _WHATEVER_SHAPE))
        else:
            tokens += 1
    # Once, however many there are: no model reads more than all that it can.
    return tokens + most if reads_all else tokens


def _is_known(said: dict[str, object]) -> bool:
    """Whether a message or a part is known to be text, but for what stands under the names of files."""
    kind = said.get("type")
    if kind is not None and not (isinstance(kind, str) and kind in _KNOWN_TYPES):
        return False
    return all(
        name in _KNOWN_NAMES or name in _FILES or name in _DOCUMENTS or not _may_refer(member)
        for name, member in said.items()
    )


def _may_refer(member: object) -> bool:
    """Whether it can say where something is: no number does, and nothing that is empty."""
    return isinstance(member, str | list | dict) and bool(member)


def _are_numbers(values: list[object]) -> bool:
    return not set(map(type, values)) - {int, float}
