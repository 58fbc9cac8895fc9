"""What `innoai webhooks listen` does: events come in as a stream, and go out as deliveries of its own."""

from __future__ import annotations

import base64
import secrets
import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from innoai.cli import output
from innoai.cli.failures import foreign_answer
from innoai.sdk.webhooks import sign, sign_standard

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx2
    from openai._streaming import ServerSentEvent

    from innoai.cli.session import Session

SECRET_BYTES = 32
_WORDS = {
    "ConnectError": "nothing listens there",
    "ConnectTimeout": "no connection in time",
    "ReadTimeout": "no answer in time",
}
"""What people are told of a receiver that does not answer, by the kind of error."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the receiver said to an event: a status, or else the kind of error. duration: milliseconds."""

    event_id: str
    event_type: str
    status: int | None
    duration_ms: int
    error: str | None

    @property
    def succeeded(self) -> bool:
        """Whether a delivery with that answer would count as done."""
        return self.status is not None and 200 <= self.status < 300


def listen(session: Session, forward_to: str, event_types: Sequence[str] | None) -> None:
    """Forward events until interrupted. A receiver that fails is told about, and not asked again."""
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"
    stream = session.client().webhooks.stream(event_types=event_types, lost=_tell_lost)
    _tell_start(session, forward_to, secret)
    with _receiver(session.timeout) as receiver:
        try:
            for frame in stream.frames():
                _tell(session, _forward(receiver, forward_to, secret, frame))
        except KeyboardInterrupt:
            output.note("stopped")


def signed_headers(event_id: str, body: str, timestamp: int, secret: str) -> dict[str, str]:
    """The headers of a delivery at that time, Unix seconds."""
    return {
        "content-type": "application/json",
        "user-agent": f"innoai/{version('innoai')}",
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign_standard(body, event_id, str(timestamp), secret),
        "x-innoai-signature": sign(body, secret),
    }


def _receiver(timeout: float) -> httpx2.Client:
    import httpx2

    # A delivery follows no redirect; and no proxy of the environment stands before this machine's own port.
    return httpx2.Client(timeout=timeout, follow_redirects=False, trust_env=False)


def _forward(receiver: httpx2.Client, url: str, secret: str, frame: ServerSentEvent) -> Outcome:
    import httpx2

    if frame.id is None or frame.event is None:
        raise foreign_answer("an event without id or type")
    headers = signed_headers(frame.id, frame.data, int(time.time()), secret)
    began = time.monotonic()
    status, error = None, None
    try:
        with receiver.stream("POST", url, content=frame.data.encode(), headers=headers) as answer:
            status = answer.status_code
    except httpx2.TransportError as problem:
        error = type(problem).__name__
    return Outcome(frame.id, frame.event, status, round((time.monotonic() - began) * 1000), error)


def _tell_start(session: Session, forward_to: str, secret: str) -> None:
    if session.options.json:
        output.write_json({"secret": secret, "forward_to": forward_to}, indent=None)
    else:
        output.write_fields({"secret": secret, "forward_to": forward_to})
        output.note("The receiver verifies with this secret, which ends with this session. Ctrl-C ends it.")
    output.flush()


def _tell_lost(pause: float) -> None:
    output.note(f"the connection is lost; trying again in {pause:g} s")
    output.flush()


def _tell(session: Session, outcome: Outcome) -> None:
    if session.options.json:
        line = {
            "id": outcome.event_id,
            "type": outcome.event_type,
            "status": outcome.status,
            "duration_ms": outcome.duration_ms,
            "error": outcome.error,
        }
        output.write_json(line, indent=None)
    else:
        said = _WORDS.get(str(outcome.error), f"no answer ({outcome.error})")
        if outcome.status is not None:
            said = str(outcome.status)
        output.write_line(
            f"{said}  {outcome.event_type}  {outcome.event_id}  {outcome.duration_ms} ms",
            "green" if outcome.succeeded else "bold red",
        )
    output.flush()
