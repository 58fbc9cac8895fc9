"""What can go wrong between a request handed over and its answer heard to the end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class FailureKind(Enum):
    """How a call failed; every call that does not end well has exactly one."""

    CONNECT_FAILED = "connect_failed"
    TLS_FAILED = "tls_failed"
    TIMED_OUT = "timed_out"
    CLOSED_BEFORE_ANSWER = "closed_before_answer"
    CLOSED_MID_ANSWER = "closed_mid_answer"
    PROTOCOL_ERROR = "protocol_error"
    SHUT_DOWN = "shut_down"
    """The pool was closed: the model server has failed in nothing."""


class Phase(Enum):
    """What was being waited for; the values are the names of the fields of `Timeouts`."""

    CONNECT = "connect"
    HEAD = "head"
    IDLE = "idle"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no whole answer.

    reached: whether upstream may have received (part of) the request; then do not send it again blindly.
    text: one line for logs; it holds nothing of the request or the answer.
    phase: what timed out; only with `TIMED_OUT`.
    """

    kind: FailureKind
    reached: bool
    text: str
    phase: Phase | None = None
