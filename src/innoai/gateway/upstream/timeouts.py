"""How long each part of a call may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from innoai.gateway.upstream.failures import Phase


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Patience in seconds; never cut short, but overrun by up to two steps of the pool's sweep.

    connect: until the connection, TLS included, stands.
    head: from the request sent to the end of the answer's head.
    idle: between two pieces of the answer's body, while the caller does not pause it.
    write: for upstream to take any more of a request that is waiting to be written.
    """

    connect: float = 5.0
    head: float = 600.0
    idle: float = 300.0
    write: float = 60.0

    def of(self, phase: Phase) -> float:
        """The patience with one phase."""
        return float(getattr(self, phase.value))

    @property
    def shortest(self) -> float:
        """The least patience with a connection that stands."""
        return min(self.head, self.idle, self.write)
