"""The head of an answer."""

from __future__ import annotations

from typing import Any


class AnswerHead:
    """Status and headers, these in the order received and with names in lower case.

    The same object comes again with later answers of the same head on the connection (their
    Content-Length may differ), so a listener may leave in `reading` what it read from it.
    """

    __slots__ = ("headers", "reading", "status")

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.status = status
        self.headers = headers
        self.reading: Any = None
