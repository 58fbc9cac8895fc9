"""What every refusal must look like, whatever was refused and wherever."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

from innoai.errors import ERRORS

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUEST_ID = re.compile(r"req_[0-9A-Za-z]{16,40}", re.ASCII)


class Answer(Protocol):
    """What clients' answers have in common."""

    @property
    def status_code(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    def json(self) -> Any: ...


def refused(answer: Answer, code: str) -> dict[str, Any]:
    """The `error` member of an answer that refuses with this code, and does it as every refusal must."""
    assert answer.status_code == ERRORS[code].status, answer.json()
    envelope = answer.json()
    assert set(envelope) == {"error"}
    error: dict[str, Any] = envelope["error"]
    assert error["code"] == code, error
    assert error["type"] == ERRORS[code].type
    assert REQUEST_ID.fullmatch(error["request_id"])
    assert answer.headers["x-request-id"] == error["request_id"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert len(error["message"]) >= 20
    assert ("retry-after" in answer.headers) == ("retry_after" in error)
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer ")
    return error
