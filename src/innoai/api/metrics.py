"""What Prometheus scrapes: counts that the data plane keeps in plain dictionaries, rendered on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.metrics_core import Metric

    from innoai.door import Door
    from innoai.keyring.feed import ChangeFeed

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class DoorCollector:
    """The door's decisions, and how old its view of the store is."""

    def __init__(self, door: Door, feed: ChangeFeed) -> None:
        self._door = door
        self._feed = feed

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


def open_registry(door: Door, feed: ChangeFeed) -> CollectorRegistry:
    """A registry of this server's metrics alone, so that several servers fit in one process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(DoorCollector(door, feed))
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """The text that Prometheus reads."""
    return generate_latest(registry)
