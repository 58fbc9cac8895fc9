"""Whether an answer that is well by its status is one of innoai's, and not a page of whatever is there."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, get_origin

from openai import BaseModel, NoneType
from openai._constants import RAW_RESPONSE_HEADER

from innoai.sdk.errors import UnreadableAnswer

if TYPE_CHECKING:
    import httpx2


def unreadable(response: httpx2.Response, cast_to: Any, *, stream: bool) -> UnreadableAnswer | None:
    """The error for an answer that is not what was asked for; None for one that is.

    Whoever asks for the raw response gets it as it is.
    """
    if RAW_RESPONSE_HEADER in response.request.headers or _fits(response, cast_to, stream=stream):
        return None
    return not_innoai(response)


def not_innoai(response: httpx2.Response) -> UnreadableAnswer:
    """The error for an answer, or a redirect, that innoai does not give."""
    kind = _media_type(response) or "no content type"
    found = "a redirect" if response.is_redirect else kind
    asked = f"{response.request.method} {response.request.url.path}"
    message = (
        f"{asked} brought no answer of innoai's (status {response.status_code}, {found}): "
        "look at base_url, which names the server and ends in /v1"
    )
    return UnreadableAnswer(message, response=response, body=None)


def _fits(response: httpx2.Response, cast_to: Any, *, stream: bool) -> bool:
    if stream:
        # Its content is yet to come. innoai streams events, files and lines, and never a page.
        return _media_type(response) != "text/html"
    if cast_to is NoneType:
        return response.status_code == 204 or _answers_empty_object(response)
    kind = get_origin(cast_to) or cast_to
    if not (inspect.isclass(kind) and issubclass(kind, BaseModel)):
        return True
    return isinstance(_json(response), dict)


def _answers_empty_object(response: httpx2.Response) -> bool:
    """A revocation by secret says `{}` (RFC 7009 has a 200); what is deleted by its id says 204."""
    return response.request.method == "POST" and isinstance(_json(response), dict)


def _json(response: httpx2.Response) -> object:
    try:
        return response.json()
    except ValueError:  # UnicodeDecodeError and JSONDecodeError are such
        return None


def _media_type(response: httpx2.Response) -> str:
    media_type: str = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type
