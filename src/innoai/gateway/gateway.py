"""The data plane: what every visit and passage needs, in one frozen place.

A request's walk: connection.py (parsed head) -> visit.py (credential, body, decision) -> passage.py
(upstream, relay, usage). All of it runs in callbacks of the event loop: an admitted request whose
principal is cached meets no task, no future and no ASGI scope on its way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from innoai.cors import NOWHERE
from innoai.gateway.departures import Departures

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from innoai.access.networks import Networks
    from innoai.cors import Cors
    from innoai.door import Door
    from innoai.gateway.inquiry import InquiryDesk
    from innoai.gateway.models import Models
    from innoai.metering.spool import Spool
    from innoai.traces import Traces


@dataclass(frozen=True, slots=True)
class Gateway:
    """The rooms that the data plane works with. `clock` gives Unix seconds, `monotonic` seconds."""

    door: Door
    models: Models
    spool: Spool
    trusted_proxies: Networks
    max_body_bytes: int
    max_header_bytes: int
    new_request_id: Callable[[], str]
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    desk: InquiryDesk | None = None
    """What answers questions about credentials on the connection; without it the control plane does."""
    shortcuts: bool = True
    """Whether a head that repeats is known again, and a decision that need not wait is made at once."""
    cors: Cors = NOWHERE
    """Which web pages may read the answers."""
    traces: Traces | None = None
    """Who is told of each request when it is over, where an operator wants that."""
    departures: Departures = field(default_factory=Departures)
    """Answers on their way to callers."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    """Decisions that wait for the store; kept here so that they are not collected."""
