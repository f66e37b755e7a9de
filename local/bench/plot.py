"""A plot of time and calls against the size of a fleet, as SVG. Both axes are logarithmic.

Written here because it takes fewer lines than a plotting library has dependencies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 900, 400
PANEL, TOP, BOTTOM, LEFT = 420, 60, 340, 64


@dataclass(frozen=True)
class Line:
    """One line of a panel.

    Attributes:
        name: for the legend.
        color: as in CSS.
        points: fleet size and value.
        dashed: for what was extrapolated or computed.
    """

    name: str
    color: str
    points: list[tuple[float, float]]
    dashed: bool = False


@dataclass(frozen=True)
class Panel:
    """One of the two diagrams."""

    title: str
    lines: list[Line]


def svg(left: Panel, right: Panel) -> str:
    """The plot: two panels, and one legend below them."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-size="12" role="img">',
        "<style>text { font-family: sans-serif }</style>",
        f"<title>{escape(left.title)}; {escape(right.title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *_panel(left, LEFT),
        *_panel(right, LEFT + WIDTH // 2),
        *_legend(left.lines),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _panel(panel: Panel, x: int) -> list[str]:
    width = PANEL - LEFT
    horizontal = _Axis.around([size for line in panel.lines for size, _ in line.points], x, x + width)
    vertical = _Axis.around([value for line in panel.lines for _, value in line.points], BOTTOM, TOP)
    parts = [f'<text x="{x}" y="{TOP - 24}" font-size="14" fill="#222">{escape(panel.title)}</text>']
    for power in horizontal.powers:
        place = horizontal.place(10**power)
        parts.append(f'<path d="M{place} {TOP}V{BOTTOM}" stroke="#ddd"/>')
        parts.append(f'<text x="{place}" y="{BOTTOM + 18}" text-anchor="middle" fill="#444">{_number(power)}</text>')
    for power in vertical.powers:
        place = vertical.place(10**power)
        parts.append(f'<path d="M{x} {place}H{x + width}" stroke="#ddd"/>')
        parts.append(f'<text x="{x - 8}" y="{place + 4}" text-anchor="end" fill="#444">{_number(power)}</text>')
    for line in panel.lines:
        places = [(horizontal.place(size), vertical.place(value)) for size, value in line.points]
        path = "L".join(f"{across} {up}" for across, up in places)
        dash = ' stroke-dasharray="5 4"' if line.dashed else ""
        parts.append(f'<path d="M{path}" fill="none" stroke="{line.color}" stroke-width="2"{dash}/>')
        parts += [f'<circle cx="{across}" cy="{up}" r="3" fill="{line.color}"/>' for across, up in places]
    return parts


def _legend(lines: list[Line]) -> list[str]:
    parts = []
    for number, line in enumerate(lines):
        x, y = LEFT + number * 270, HEIGHT - 16
        dash = ' stroke-dasharray="5 4"' if line.dashed else ""
        parts.append(f'<path d="M{x} {y - 4}h28" stroke="{line.color}" stroke-width="2"{dash}/>')
        parts.append(f'<text x="{x + 36}" y="{y}" fill="#222">{escape(line.name)}</text>')
    return parts


@dataclass(frozen=True)
class _Axis:
    """Powers of ten between two places of the picture."""

    first: int
    last: int
    start: float
    end: float

    @classmethod
    def around(cls, values: list[float], start: float, end: float) -> _Axis:
        powers = [math.log10(value) for value in values]
        first, last = math.floor(min(powers) + 1e-9), math.ceil(max(powers) - 1e-9)
        return cls(first, max(last, first + 1), start, end)

    @property
    def powers(self) -> range:
        return range(self.first, self.last + 1)

    def place(self, value: float) -> float:
        share = (math.log10(value) - self.first) / (self.last - self.first)
        return round(self.start + share * (self.end - self.start), 1)


def _number(power: int) -> str:
    return f"{10**power:,}" if power >= 0 else f"{10.0**power:g}"
