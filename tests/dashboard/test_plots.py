from __future__ import annotations

from innoai.dashboard.plots import Series, counted, stacked


def plot(*values: float) -> str:
    drawn = stacked(
        "p", "A plot", ["Mon", "Tue"], [Series("ms", "first", values)], counted, "Each took no time."
    )
    return drawn.nothing if drawn.is_empty else drawn.description


def test_a_plot_without_a_bar_says_what_that_means() -> None:
    assert plot(0.0, 0.0) == "Each took no time."


def test_a_plot_is_described_by_its_sum_and_its_most() -> None:
    assert plot(1.0, 3.0) == "Mon to Tue: 4 ms. Most at Tue: 3."
