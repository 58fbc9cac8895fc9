"""Bars as SVG, on a logarithmic scale, readable on light and dark pages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, LABELS, FIGURES = 720, 190, 80
"""Pixels: of the whole, and of what stands left and right of the bars."""

LINE, BAR = 30, 18
_STYLE = "text{font:14px sans-serif;fill:#444}rect{fill:#8a94a6}.own{fill:#2f7de1}"
_DARK = "@media(prefers-color-scheme:dark){text{fill:#ccc}}"


def bars(title: str, values: Sequence[tuple[str, float]], own: str = "innoai") -> str:
    """A bar for each name and value; that of `own` stands out. The scale begins at half the least."""
    least = min(value for _, value in values) / 2
    span = math.log(max(value for _, value in values) / least)
    height = LINE * (len(values) + 1) + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}{_DARK}</style>",
        f'<text x="0" y="20">{escape(title)} (logarithmic)</text>',
    ]
    for number, (name, value) in enumerate(values, 1):
        top = LINE * number + 6
        length = (WIDTH - LABELS - FIGURES) * math.log(value / least) / span
        kind = ' class="own"' if name == own else ""
        lines += [
            f'<text x="0" y="{top + 14}">{escape(name)}</text>',
            f'<rect{kind} x="{LABELS}" y="{top}" width="{length:.1f}" height="{BAR}" rx="3"/>',
            f'<text x="{LABELS + length + 8:.1f}" y="{top + 14}">{value:,.1f}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])
