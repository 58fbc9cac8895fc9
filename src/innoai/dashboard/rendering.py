"""Templates become pages: everything that is put into one is escaped."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from innoai.dashboard.assets import Assets

AMOUNT_DECIMALS = 9
"""Of what was added up as floats, for a plot; the store counts in billionths."""

SOON_SECONDS = 7 * 86_400
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_UNITS = ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute"))


class Renderer:
    """The templates, compiled once."""

    def __init__(self, assets: Assets, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._environment = Environment(
            loader=FileSystemLoader(Path(__file__).with_name("templates")),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals["asset"] = assets.path
        self._environment.filters.update(
            when=self.when, ago=self.ago, number=number, amount=amount, plural=plural, moment=moment
        )
        self._environment.filters.update(
            is_soon=self.is_soon, is_past=self.is_past, left=self.left, pairs=pairs, json=readable_json
        )

    def render(self, template: str, values: dict[str, Any]) -> bytes:
        """The page."""
        return self._environment.get_template(template).render(values).encode()

    def ago(self, instant: str | float | None, never: str = "never") -> Markup | str:
        """How long ago an instant was, or how far off it is, with the instant itself to be looked at."""
        return (
            never if instant is None else self._time(instant, distance(seconds_of(instant) - self._clock()))
        )

    def when(self, instant: str | float | None, never: str = "never") -> Markup | str:
        """An instant; a script shows it in the visitor's own time zone."""
        return never if instant is None else self._time(instant, moment(instant), local=True)

    def left(self, instant: str | float) -> str:
        """How long it is until an instant: `23 hours`."""
        return duration(max(0.0, seconds_of(instant) - self._clock()))

    def is_soon(self, instant: str | float) -> bool:
        """Whether an instant is within the next week."""
        return seconds_of(instant) - self._clock() < SOON_SECONDS

    def is_past(self, instant: str | float) -> bool:
        """Whether an instant is behind us."""
        return seconds_of(instant) <= self._clock()

    def _time(self, instant: str | float, text: str, *, local: bool = False) -> Markup:
        at = datetime.fromtimestamp(seconds_of(instant), UTC)
        machine = at.isoformat(timespec="seconds").replace("+00:00", "Z")
        marked = Markup(" data-local") if local else Markup("")
        return Markup('<time datetime="{}" title="{}"{}>{}</time>').format(
            machine, moment(instant), marked, text
        )


def seconds_of(instant: str | float) -> float:
    """Unix seconds of an instant as the API writes it, or as the store keeps it."""
    return instant if isinstance(instant, (int, float)) else datetime.fromisoformat(instant).timestamp()


def moment(instant: str | float) -> str:
    """An instant in UTC, for people."""
    return f"{datetime.fromtimestamp(seconds_of(instant), UTC):%Y-%m-%d %H:%M} UTC"


def distance(seconds: float) -> str:
    """`3 minutes ago`, `in 2 days`, `just now`."""
    if -_MINUTE < seconds <= 0:
        return "just now"
    text = duration(abs(seconds))
    return f"{text} ago" if seconds < 0 else f"in {text}"


def duration(seconds: float) -> str:
    """`3 minutes`, `2 days`, `less than a minute`."""
    if seconds < _MINUTE:
        return "less than a minute"
    unit, name = next((unit, name) for unit, name in _UNITS if seconds >= unit)
    return plural(int(seconds // unit), name)


def pairs(values: Iterable[str]) -> list[tuple[str, str]]:
    """Values that are shown as they are, for a choice."""
    return [(value, value) for value in values]


def readable_json(value: object, indent: int | None = None) -> str:
    """A value as JSON, for people: text stays as it was written."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def number(value: float) -> str:
    """A number with its thousands set apart."""
    return f"{value:,}"


def amount(value: str | float | Decimal) -> str:
    """An amount of money, exact, with at least two decimals: `0.00`, `1,020.50`, `7.4394`."""
    exact = Decimal(str(round(value, AMOUNT_DECIMALS) if isinstance(value, float) else value))
    whole, _, decimals = f"{exact:,f}".partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """`1 key`, `2 keys`, `10,000 keys`."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"
