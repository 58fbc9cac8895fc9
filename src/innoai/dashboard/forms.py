"""What a browser sends: a form's fields, or the JSON of a script, within bounds."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec

from innoai.errors import InnoError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

MAX_FORM_BYTES = 1024 * 1024
"""Room for the longest text of a page, 100,000 characters, each of which may be urlencoded as nine."""

MAX_STRANGERS_BYTES = 128 * 1024
"""The same for somebody who is not signed in."""

MAX_FIELDS = 2_000
MAX_DIGITS = 9
_is_grouped = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,3}(?: [0-9]{3})+").fullmatch
TOKEN_FIELD = "form_token"
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


class Form:
    """The fields of a form. What is not there is empty; a page that reads nothing has an empty one."""

    def __init__(
        self, fields: list[tuple[str, str]] | None = None, script: dict[str, Any] | None = None
    ) -> None:
        self._fields = fields or []
        self.script = script or {}
        """What a script sent as JSON, instead of a form."""

    @property
    def digest(self) -> str:
        """What tells this form from one in which something else was typed; its token aside."""
        typed = [field for field in self._fields if field[0] != TOKEN_FIELD]
        return hashlib.sha256(msgspec.json.encode([typed, self.script])).hexdigest()[:24]

    def text(self, name: str, default: str = "") -> str:
        """The first value of a field, without spaces around."""
        return self.raw(name, default).strip()

    def raw(self, name: str, default: str = "") -> str:
        """The same as it was typed: a password may begin with a space."""
        return next((value for field, value in self._fields if field == name), default)

    def all(self, name: str) -> list[str]:
        """Every value of a field, such as those of checkboxes that share a name."""
        return [value for field, value in self._fields if field == name]

    def lines(self, name: str) -> list[str]:
        """What stands in a text area, one on a line or with commas between."""
        pieces = self.raw(name).replace(",", "\n").split("\n")
        return [piece.strip() for piece in pieces if piece.strip()]

    def repeats(self, name: str, text: str) -> bool:
        """Whether the field says the text; how many spaces are between its words is not seen on a page."""
        return self.raw(name).split() == text.split()

    def has(self, name: str) -> bool:
        """Whether the field is there and says something, as a ticked checkbox does."""
        return self.text(name) != ""


def whole_number(form: Form, name: str, unit: str) -> int | None:
    """What a field says, or None where it is empty. InnoError invalid_request for what is no whole number."""
    written = form.text(name)
    if not written:
        return None
    text = _without_groups(written)
    if not text.isascii() or not text.isdecimal() or len(text) > MAX_DIGITS:
        raise InnoError("invalid_request", f"Write a whole number of {unit}.", param=name)
    return int(text)


def _without_groups(written: str) -> str:
    """A number whose thousands are set apart, without what does so; a comma elsewhere may be for decimals."""
    return re.sub("[, ]", "", written) if _is_grouped(written) else written


def whole_numbers(form: Form, name: str, unit: str) -> list[int]:
    """The same for numbers with commas between them."""
    pieces = form.lines(name)
    if not all(piece.isascii() and piece.isdecimal() and len(piece) <= MAX_DIGITS for piece in pieces):
        raise InnoError("invalid_request", f"Write whole numbers with commas between: {unit}.", param=name)
    return [int(piece) for piece in pieces]


PERIODS = ("monthly", "total")


def budgets(form: Form, periods: Iterable[str]) -> dict[str, str | None]:
    """The budgets of these periods as the API takes them; None is no bound."""
    return {period: form.text(period) or None for period in periods}


async def read_form(
    receive: Callable[[], Awaitable[dict[str, Any]]], media_type: str, max_bytes: int
) -> Form:
    """The body of a POST.

    Raises:
        InnoError: payload_too_large, unsupported_media_type, or invalid_request for what is neither.
    """
    content = await _body(receive, max_bytes)
    kind = kind_of(media_type)
    if kind == JSON:
        return Form(script=_json(content))
    if kind not in (FORM, "") or (kind == "" and content):
        raise InnoError(
            "unsupported_media_type", "Pages take forms of type application/x-www-form-urlencoded."
        )
    try:
        fields = parse_qsl(
            content.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"
        )
    except (UnicodeDecodeError, ValueError):
        raise InnoError("invalid_request", "The form is not urlencoded UTF-8. Reload the page.") from None
    if any("\0" in value for _, value in fields):
        # No browser sends one, and Postgres takes none.
        raise InnoError("invalid_request", "There is a NUL character in the form. Leave it out.")
    # A browser ends the lines of a text area with CR LF.
    return Form([(name, value.replace("\r\n", "\n")) for name, value in fields])


def kind_of(media_type: str) -> str:
    """A media type without its parameters."""
    return media_type.partition(";")[0].strip().lower()


async def _body(receive: Callable[[], Awaitable[dict[str, Any]]], max_bytes: int) -> bytes:
    content = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise InnoError("invalid_request", "The request was broken off.")
        content += message.get("body", b"")
        if len(content) > max_bytes:
            raise InnoError("payload_too_large")
        if not message.get("more_body", False):
            return bytes(content)


def _json(content: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise InnoError("invalid_request", "That is no JSON object.") from None
