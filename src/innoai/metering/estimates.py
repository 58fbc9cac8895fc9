"""What an answer may have cost whose model server told no usage: because the caller left before the end,
because the answer broke, or because that server never tells.

Rough, and meant to be: about four bytes are a token, an event of a stream is at least one. What matters
is that nobody gets answers for nothing by hanging up before the last event.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

BYTES_PER_TOKEN = 4
FILE_TOKENS = 1000
"""What an image or another file inside a prompt is taken for: its base64 says nothing about tokens."""

_BASE64 = b";base64,"
_TEXTS = re.compile(
    rb'"(?:content|text|delta|arguments|refusal|reasoning|reasoning_content|transcript)"\s*:\s*'
    rb'"((?:[^"\\]|\\.)*+)'
)
_EVENT = re.compile(rb"^data:(?! ?\[DONE\])", re.MULTILINE)


def prompt_tokens(members: Iterable[bytes]) -> int:
    """Tokens that a request's body holds, given its members."""
    size = files = 0
    for member in members:
        size += len(member)
        start = member.find(_BASE64)
        while start != -1:
            end = member.find(b'"', start)
            end = len(member) if end == -1 else end
            size -= end - start
            files += 1
            start = member.find(_BASE64, end)
    return size // BYTES_PER_TOKEN + files * FILE_TOKENS


def completion_tokens(kept: bytes, passed: int) -> int:
    """Tokens that an answer of `passed` bytes, JSON or events, holds, judging by the part that was kept."""
    if not kept:
        return 0
    texts = sum(match.end(1) - match.start(1) for match in _TEXTS.finditer(kept))
    tokens = max(len(_EVENT.findall(kept)), texts // BYTES_PER_TOKEN)
    return tokens * passed // len(kept)
