"""Plots as numbers: where each bar of a series stands in a drawing, which templates/plots.html draws as SVG.

A plot is a picture with a title and a description, and beside it the same as a table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WIDTH, HEIGHT = 720, 190
LEFT, TOP, BOTTOM = 56, 10, 26
GAP = 0.25
"""Of a bar's place, what is left free."""
MOST_LABELS = 8


@dataclass(frozen=True, slots=True)
class Series:
    """Values of one kind, one for each label. `tone` is a class of the style sheet: first, second or bad."""

    name: str
    tone: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle, and what it is for whoever points at it."""

    tone: str
    x: float
    y: float
    width: float
    height: float
    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A label at a place of an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing of WIDTH x HEIGHT, and the table that says the same."""

    name: str
    title: str
    description: str
    legend: tuple[tuple[str, str], ...]
    bars: tuple[Bar, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    nothing: str
    """What is said where there is nothing to be drawn."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be drawn."""
        return not self.bars


def stacked(
    name: str,
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    show: Callable[[float], str],
    nothing: str,
) -> Plot:
    """Bars that stand on one another, one column a label.

    `show`: a value as text; `nothing`: what is said where no bar is to be drawn.
    """
    columns = list(zip(*(one.values for one in series), strict=True))
    most = max((sum(column) for column in columns), default=0.0)
    top = ceiling(most)
    place = (WIDTH - LEFT) / max(len(labels), 1)
    floor = HEIGHT - BOTTOM
    bars = []
    for number, (label, column) in enumerate(zip(labels, columns, strict=True)):
        y = float(floor)
        for one, value in zip(series, column, strict=True):
            height = 0.0 if top == 0 else value / top * (floor - TOP)
            y -= height
            if height > 0:
                x = LEFT + place * (number + GAP / 2)
                text = f"{label}: {show(value)} {one.name}"
                bars.append(Bar(one.tone, *_rounded(x, y, place * (1 - GAP), height), text))
    every = max(1, math.ceil(len(labels) / MOST_LABELS))
    return Plot(
        name,
        title,
        _described(labels, columns, series, show) or nothing,
        tuple((one.tone, one.name) for one in series),
        tuple(bars),
        tuple((label, tuple(map(show, column))) for label, column in zip(labels, columns, strict=True)),
        tuple(
            Tick(round(LEFT + place * (number + 0.5), 2), label)
            for number, label in enumerate(labels)
            if number % every == 0
        ),
        tuple(Tick(round(floor - part * (floor - TOP), 2), show(top * part)) for part in (0.0, 0.5, 1.0)),
        nothing,
    )


def ceiling(most: float) -> float:
    """The end of an axis that has room for the greatest value: 1, 2 or 5 times a power of ten."""
    if most <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(most))
    return next((step * power for step in (1, 2, 5) if step * power >= most), 10 * power)


def _rounded(*numbers: float) -> tuple[float, float, float, float]:
    x, y, width, height = (round(number, 2) for number in numbers)
    return x, y, width, height


def _described(
    labels: Sequence[str],
    columns: Sequence[tuple[float, ...]],
    series: Sequence[Series],
    show: Callable[[float], str],
) -> str:
    sums = ", ".join(f"{show(sum(one.values))} {one.name}" for one in series if any(one.values))
    if not sums or not labels:
        return ""
    busiest = max(range(len(labels)), key=lambda number: sum(columns[number]))
    return f"{labels[0]} to {labels[-1]}: {sums}. Most at {labels[busiest]}: {show(sum(columns[busiest]))}."


def counted(value: float) -> str:
    """A count with its thousands set apart; below one, which only an axis has, with a decimal."""
    return f"{value:,.0f}" if value >= 1 or value == 0 else f"{value:.1f}"
