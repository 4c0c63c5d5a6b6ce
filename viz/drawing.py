"""Small pictures for pages, as inline SVG: bars, and curves. Same input, same text.

Widths are per cent and letters keep their size, so that a phone shows them as large as a screen.
Every picture has a table beside it on its page; the SVG itself is one image with a label.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from viz.page import text

_ROW, _BAR, _GAP = 42, 14, 20  # pixels: a row, its bar, and what stands above the bar
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 340, 190, 46, 10, 26
_NUM_MARKS = 5

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Bar:
    """One row of bars.

    Attributes:
      name: stands above the bar; shown: stands above its end.
      parts: (CSS class, value) from left to right.
      tip: what a reader who points at it is told.
    """

    name: str
    shown: str
    parts: tuple[tuple[str, float], ...]
    tip: str = ""

    @property
    def value(self) -> float:
        """Of all parts."""
        return sum(value for _, value in self.parts)


def bars(label: str, rows: Sequence[Bar]) -> str:
    """Bars below each other, the longest over the whole width."""
    most = max((row.value for row in rows), default=0.0) or 1.0
    drawn = "".join(_bar(row, index * _ROW, most) for index, row in enumerate(rows))
    return (
        f'<svg class="bars" role="img" aria-label="{text(label)}" width="100%" '
        f'height="{len(rows) * _ROW}">{drawn}</svg>'
    )


def _bar(row: Bar, top: int, most: float) -> str:
    at = 0.0
    drawn = []
    for kind, value in row.parts:
        share = 100 * value / most
        drawn.append(
            f'<rect class="{kind}" x="{at:.3f}%" y="{top + _GAP}" width="{share:.3f}%" '
            f'height="{_BAR}"/>'
        )
        at += share
    tip = f"<title>{text(row.tip)}</title>" if row.tip else ""
    return (
        f'<g>{tip}<rect class="ground" x="0" y="{top + _GAP}" width="100%" height="{_BAR}"/>'
        f'{"".join(drawn)}<text x="0" y="{top + 14}">{text(row.name)}</text>'
        f'<text class="end" x="100%" y="{top + 14}">{text(row.shown)}</text></g>'
    )


def beside(picture: str, words: str, table: str) -> str:
    """A picture and its table, side by side where there is room; `words` are HTML."""
    caption = f"<figcaption>{words}</figcaption>" if words else ""
    return f'<div class="pair"><figure>{picture}{caption}</figure>{table}</div>'


def curves(label: str, series: Mapping[str, Points]) -> str:
    """Lines over one axis of steps, with a mark at each value.

    Args:
      label: says what is drawn.
      series: CSS class -> (x, y) in the order of x; y is finite.
    """
    points = [point for each in series.values() for point in each]
    if not points:
        return ""
    right = max(x for x, _ in points) or 1.0
    low, high = _span([y for _, y in points])
    marks = [low + (high - low) * i / (_NUM_MARKS - 1) for i in range(_NUM_MARKS)]

    def place(x: float, y: float) -> tuple[float, float]:
        inner = _WIDTH - _LEFT - 8, _HEIGHT - _TOP - _BOTTOM
        return _LEFT + inner[0] * x / right, _TOP + inner[1] * (high - y) / (high - low)

    grid = "".join(_mark(place(0, y)[1], y) for y in marks)
    lines = "".join(_line(kind, [place(*p) for p in each], each) for kind, each in series.items())
    return (
        f'<svg class="curves" role="img" aria-label="{text(label)}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}">{grid}<text x="{_LEFT}" y="{_HEIGHT - 8}">0</text>'
        f'<text class="end" x="{_WIDTH - 8}" y="{_HEIGHT - 8}">step {right:,.0f}</text>'
        f"{lines}</svg>"
    )


def _span(values: Sequence[float]) -> tuple[float, float]:
    """Round numbers around the values."""
    low, high = min(values), max(values)
    step = 10.0 ** math.floor(math.log10(max(high - low, abs(high) / 10, 1e-6)))
    below, above = math.floor(low / step) * step, math.ceil(high / step) * step
    return below, above if above > below else below + step


def _mark(y: float, value: float) -> str:
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - 8}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="end" x="{_LEFT - 6}" y="{y + 4:.1f}">{value:.3g}</text>'
    )


def _line(kind: str, placed: Sequence[tuple[float, float]], values: Points) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    dots = "".join(
        f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3">'
        f"<title>step {step:,.0f}: {value:.4f}</title></circle>"
        for (x, y), (step, value) in zip(placed, values, strict=True)
    )
    return f'<polyline class="{kind}" points="{path}"/>{dots}'
