"""Public model names, the upstreams that serve them, and which of those is worth asking now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from innoai.config import BillingSettings, ConfigError
from innoai.gateway.echo import Echo
from innoai.gateway.query import joined
from innoai.gateway.upstream import Origin, Pool, RequestHead, Timeouts
from innoai.metering.prices import open_tariffs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from innoai.config import Model, Upstream
    from innoai.gateway.arrival import Arrival
    from innoai.gateway.headers import Headers
    from innoai.gateway.transport import Handle, Transport
    from innoai.gateway.upstream import Listener
    from innoai.metering.prices import Tariff
    from innoai.traces import RequestSpan

COOL_DOWN = 5.0
LONGEST_COOL_DOWN = 60.0
"""Seconds for which an upstream that failed is asked only when all others failed too; doubled each time."""

_PUBLIC_ROOT = b"/v1"


@dataclass(slots=True)
class Target:
    """One upstream of one model, and how it has been doing."""

    upstream: Upstream
    transport: Transport
    prefix: bytes
    headers: Headers
    failures: int = 0
    cool_until: float = 0.0

    def send(
        self, arrival: Arrival, body: bytes, listener: Listener, span: RequestSpan | None = None
    ) -> Handle:
        """Send the request in this upstream's words: its path prefix, its headers, the mapped body.

        With a span it is told of that, and so gets a head of its own.

        Raises:
            ValueError: some part of the head cannot be sent.
        """
        if span is not None:
            head = self.transport.prepare(self._head(arrival, span.continued(arrival.headers.forwarded)))
            return self.transport.send_prepared(head, body, listener)
        head = arrival.upstream_heads.get(id(self))
        if head is None:
            head = self.transport.prepare(self._head(arrival, arrival.headers.forwarded))
            arrival.upstream_heads[id(self)] = head
        return self.transport.send_prepared(head, body, listener)

    def _head(self, arrival: Arrival, forwarded: Headers) -> RequestHead:
        target = self.prefix + arrival.path.removeprefix(_PUBLIC_ROOT)
        query = joined(self.upstream.query.encode(), arrival.query)
        if query:
            target += b"?" + query
        own = {name for name, _ in self.headers}
        headers = [header for header in forwarded if header[0] not in own]
        return RequestHead(target, [*headers, *self.headers])

    def failed(self, now: float, retry_after: float | None = None) -> None:
        """Leave it alone for a while: as long as it asks for, or longer with each failure in a row."""
        self.failures += 1
        backoff = COOL_DOWN * 2 ** min(self.failures - 1, 8)
        self.cool_until = now + min(backoff if retry_after is None else retry_after, LONGEST_COOL_DOWN)

    def succeeded(self) -> None:
        """It is well."""
        self.failures = 0
        self.cool_until = 0.0


@dataclass(slots=True)
class Models:
    """The models that are served, and what they cost, by public name."""

    targets: dict[str, tuple[Target, ...]]
    tariffs: dict[str, Tariff]
    transports: list[Transport] = field(default_factory=list)
    allowances: dict[tuple[str, str], int] = field(default_factory=dict)
    """Tokens that a model was seen to read beyond a prompt's bound, such as those of a long template.

    By account and model: what one account sends must not make another's budgets smaller.
    """

    def candidates(self, model: str, now: float) -> list[Target]:
        """The model's upstreams in the order in which to try them: those that cool down come last."""
        targets = self.targets[model]
        if len(targets) == 1:
            return [targets[0]]
        return sorted(targets, key=lambda target: target.cool_until > now)

    def connections(self) -> dict[str, int]:
        """How many connections to upstreams there are, by what they are doing."""
        pools = [transport for transport in self.transports if isinstance(transport, Pool)]
        idle = sum(pool.idle for pool in pools)
        return {
            "idle": idle,
            "busy": sum(pool.open for pool in pools) - idle,
            "connecting": sum(pool.connecting for pool in pools),
        }

    async def close(self) -> None:
        """Close every connection to an upstream."""
        for transport in self.transports:
            await transport.close()


def open_models(
    models: Mapping[str, Model],
    clock: Callable[[], float],
    billing: BillingSettings = BillingSettings(),  # noqa: B008 - frozen
    *,
    shortcuts: bool = True,
    place: str = "",
) -> Models:
    """Build the registry; upstreams at one origin with equal patience share their connections.

    `place` is what errors begin with: the file that the models come from.

    Raises:
        ConfigError: a base_url at which no server can be asked.
    """
    pools: dict[object, Transport] = {}
    targets = {
        name: tuple(
            _target(f'{place}models."{name}"', upstream, pools, clock, shortcuts=shortcuts)
            for upstream in model.upstreams
        )
        for name, model in models.items()
    }
    return Models(targets, open_tariffs(models, billing), list(pools.values()))


def _target(
    where: str,
    upstream: Upstream,
    pools: dict[object, Transport],
    clock: Callable[[], float],
    *,
    shortcuts: bool,
) -> Target:
    headers = [(b"accept-encoding", b"identity")]
    if upstream.api_key is not None:
        headers.append((b"authorization", b"Bearer " + upstream.api_key.encode()))
    headers += [(header.encode(), value.encode()) for header, value in upstream.headers.items()]
    if upstream.base_url == "echo:":
        return Target(upstream, pools.setdefault("echo", Echo(clock)), b"", headers)
    try:
        origin, prefix = Origin.parse(upstream.base_url)
    except ValueError as error:
        raise ConfigError(f"{where}: base_url: {error}; correct it") from None
    timeouts = Timeouts(
        connect=upstream.connect_timeout, head=upstream.head_timeout, idle=upstream.idle_timeout
    )
    shared = (origin, timeouts)
    if shared not in pools:
        pools[shared] = Pool(origin, timeouts=timeouts, shortcuts=shortcuts)
    return Target(upstream, pools[shared], prefix, headers)
