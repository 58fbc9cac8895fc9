"""What Prometheus scrapes: counts that the data plane keeps in plain dictionaries, rendered on demand."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from prometheus_client.metrics_core import Metric

    from innoai.door import Door
    from innoai.keyring.feed import ChangeFeed

CONTENT_TYPE = "text/plain; version=0.0.4"
"""To which Litestar adds the charset."""


class Collector:
    """The door's decisions, how old its view of the store is, and what the data plane keeps open."""

    def __init__(self, door: Door, feed: ChangeFeed, connections: Callable[[], Mapping[str, int]]) -> None:
        self._door = door
        self._feed = feed
        self._connections = connections

    def collect(self) -> Iterable[Metric]:
        """The metrics as they are now."""
        decisions = CounterMetricFamily(
            "innoai_decisions", "Decisions by code; allowed where nothing refused.", labels=["code"]
        )
        for code, count in sorted(self._door.decisions.items()):
            decisions.add_metric([code], count)
        yield decisions
        yield GaugeMetricFamily(
            "innoai_feed_silence_seconds",
            "Seconds since the store last said what is new.",
            value=self._feed.silent_for,
        )
        upstream = GaugeMetricFamily(
            "innoai_upstream_connections", "Connections to model servers by state.", labels=["state"]
        )
        for state, count in self._connections().items():
            upstream.add_metric([state], count)
        yield upstream
        yield GaugeMetricFamily(
            "innoai_tasks",
            "Tasks of the event loop: those of the server itself, and requests that wait.",
            value=len(asyncio.all_tasks()),
        )


def open_registry(
    door: Door, feed: ChangeFeed, connections: Callable[[], Mapping[str, int]]
) -> CollectorRegistry:
    """A registry of this server's metrics alone, so that several servers fit in one process.

    `connections` counts those to model servers by their state.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector(door, feed, connections))
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """The text that Prometheus reads."""
    return generate_latest(registry)
