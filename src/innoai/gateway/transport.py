"""What carries requests to an upstream: a pool of connections, or the built-in echo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from innoai.gateway.upstream import Listener, RequestHead


class Handle(Protocol):
    """A request under way."""

    def pause(self) -> None:
        """Let the answer wait."""

    def resume(self) -> None:
        """Let the answer come on."""

    def cancel(self) -> None:
        """Give up; the listener hears nothing more."""


class NoCall:
    """The handle of no request."""

    def pause(self) -> None:
        """Nothing comes."""

    def resume(self) -> None:
        """Nothing comes."""

    def cancel(self) -> None:
        """There is nothing to give up."""


NO_CALL: Handle = NoCall()


class Transport(Protocol):
    """Sends requests."""

    def prepare(self, head: RequestHead) -> Any:
        """The head in the form that `send_prepared` takes. ValueError where it cannot be sent."""

    def send_prepared(self, head: Any, body: bytes, listener: Listener) -> Handle:
        """Send; the listener hears the answer later, never from inside this call.

        May raise RuntimeError after `close`.
        """

    async def close(self) -> None:
        """Let every connection go."""
