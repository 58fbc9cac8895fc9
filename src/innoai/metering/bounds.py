"""The most that a request can cost, told from its body: what a budget has to cover before it begins.

Upper bounds, not guesses: a token is at least one byte of text, whatever the tokeniser. What a request
only refers to, and what is no text, counts as FILE_TOKENS, or as all that the model can read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_TOKENS = 50_000
"""More than any image or sound of a usual size takes of a prompt."""

UNKNOWN_PROMPT = 200_000
"""For a prompt that the model server keeps, where nobody knows how much the model can read."""

UNKNOWN_ANSWER = 4096
"""For the longest answer, where nobody knows; what is sent on then asks for no more."""

_ITEM = 8
"""Tokens that a message, a part or a tool takes beside its text."""

_CAPS = {
    "/v1/chat/completions": ("max_tokens", "max_completion_tokens"),
    "/v1/completions": ("max_tokens",),
    "/v1/responses": ("max_output_tokens",),
}
"""Routes whose answers are text, and the members that bound it."""

_OPENAI = ".openai."
_ANSWERLESS = frozenset(("/v1/embeddings", "/v1/moderations"))
_STORED = frozenset(("previous_response_id", "conversation", "file_ids"))
_SETTINGS = frozenset(
    ("model", "stream", "stream_options", "n", "best_of", "temperature", "top_p", "user", "metadata")
)
_FILES = frozenset(("image_url", "file_url", "file_id", "file_data", "file", "input_audio", "input_image"))


def can_be_capped(path: str) -> bool:
    """Whether the route has a member that bounds the answer."""
    return path in _CAPS


def cap_member(path: str, base_url: str) -> str:
    """The member that bounds the answer, as this model server knows it.

    OpenAI's reasoning models take the newer name of chat completions alone, and some servers the older.
    """
    return _CAPS[path][-1] if _OPENAI in base_url else _CAPS[path][0]


def prompt_tokens(members: Mapping[str, msgspec.Raw], context_window: int | None) -> int:
    """At most so many tokens are read."""
    most = context_window or UNKNOWN_PROMPT
    # A text where a completion is asked for, but an object where a stored prompt is meant.
    if not _STORED.isdisjoint(members) or bytes(members.get("prompt", b"")).startswith(b"{"):
        return most
    tokens = _ITEM + sum(
        _tokens(msgspec.json.decode(value)) for name, value in members.items() if name not in _SETTINGS
    )
    return tokens if context_window is None else min(tokens, context_window)


def answers(members: Mapping[str, msgspec.Raw]) -> int:
    """How many answers the request asks for."""
    counts = [_whole(members[name]) for name in ("n", "best_of") if name in members]
    return max([1, *(count for count in counts if count is not None)])


def stated_cap(members: Mapping[str, msgspec.Raw], path: str) -> int | None:
    """The tokens that the caller wants an answer to have at most; None where it does not say."""
    caps = [_whole(members[name]) for name in _CAPS.get(path, ()) if name in members]
    stated = [cap for cap in caps if cap is not None and cap > 0]
    return max(stated) if stated else None


def longest_answer(path: str, max_output_tokens: int | None) -> int:
    """The tokens of the longest answer that one may get without a cap of one's own."""
    return 0 if path in _ANSWERLESS else max_output_tokens or UNKNOWN_ANSWER


def _whole(value: msgspec.Raw) -> int | None:
    try:
        return msgspec.json.decode(value, type=int)
    except msgspec.DecodeError:
        return None


def _tokens(value: object) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, list):
        # Numbers are tokens already, as embeddings take them.
        return sum(map(_tokens, value))
    if isinstance(value, dict):
        return _ITEM + sum(
            FILE_TOKENS if name in _FILES else len(name) + _tokens(member) for name, member in value.items()
        )
    return 1
