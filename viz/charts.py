"""Small charts as SVG inside a page, each with its numbers as a table below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from viz import page

_WIDTH, _HEIGHT, _FOOT, _TOP = 320, 130, 16, 12
_ROW = 20
_LABEL = 104
_MAX_NAMED = 12


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes:
      title: plain text, with the unit.
      names: of the bars; shorts: what stands below them, where names are too long.
      series: name -> heights, as many as there are names.
      unit: what is counted: `tracks`.
    """

    title: str
    names: Sequence[str]
    series: dict[str, Sequence[float]]
    unit: str
    shorts: Sequence[str] = ()


def columns(chart: Chart) -> str:
    """Upright bars, the series side by side."""
    most = max((value for values in chart.series.values() for value in values), default=0)
    step = _WIDTH / max(len(chart.names), 1)
    wide = (step - 2) / len(chart.series)
    bars = []
    for which, (series, values) in enumerate(chart.series.items()):
        for at, value in enumerate(values):
            high = (_HEIGHT - _FOOT - _TOP) * value / most if most else 0.0
            left, top = at * step + 1 + which * wide, _HEIGHT - _FOOT - high
            words = _words(chart, series, chart.names[at], value)
            bars.append(
                f'<rect class="bar{which}" x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" '
                f'height="{high:.1f}"><title>{words}</title></rect>'
            )
    labels = _column_labels(chart.shorts or chart.names, step)
    scale = f'<text x="0" y="9">{most:g}</text>'
    base = f'<path class="base" d="M0 {_HEIGHT - _FOOT}H{_WIDTH}"/>'
    return _figure(chart, _HEIGHT, [*bars, *labels, scale, base])


def rows(chart: Chart) -> str:
    """Lying bars of the first series, a name before each."""
    (series, values), *_ = chart.series.items()
    most = max(values, default=0)
    room = _WIDTH - _LABEL - 44
    drawn = []
    for at, (name, value) in enumerate(zip(chart.names, values, strict=True)):
        long = room * value / most if most else 0.0
        middle = at * _ROW + 14
        drawn.append(
            f'<text x="{_LABEL - 6}" y="{middle}" text-anchor="end">{page.text(name)}</text>'
            f'<rect class="bar0" x="{_LABEL}" y="{at * _ROW + 3}" width="{long:.1f}" '
            f'height="{_ROW - 6}"><title>{_words(chart, series, name, value)}</title></rect>'
            f'<text x="{_LABEL + long + 4:.1f}" y="{middle}">{value:g} %</text>'
        )
    return _figure(chart, max(len(chart.names), 1) * _ROW, drawn)


def _column_labels(names: Sequence[str], step: float) -> list[str]:
    every = -(-len(names) // _MAX_NAMED)
    return [
        f'<text x="{(at + 0.5) * step:.1f}" y="{_HEIGHT - 3}" text-anchor="middle">'
        f"{page.text(names[at])}</text>"
        for at in range(0, len(names), every)
    ]


def _words(chart: Chart, series: str, name: str, value: float) -> str:
    whole = f"{name} {series}".strip() if len(chart.series) > 1 else name
    return page.text(f"{whole}: {value:g} {chart.unit}")


def _figure(chart: Chart, height: int, drawn: Sequence[str]) -> str:
    key = "".join(
        f'<span class="key{which}">{page.text(series)}</span>'
        for which, series in enumerate(chart.series)
        if len(chart.series) > 1
    )
    numbers = [
        [page.text(name), *(f"{values[at]:g}" for values in chart.series.values())]
        for at, name in enumerate(chart.names)
    ]
    head = ["", *(series or chart.unit for series in chart.series)]
    return (
        f'<figure class="chart"><figcaption>{page.text(chart.title)} {key}</figcaption>'
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{page.text(_summary(chart))}">{"".join(drawn)}</svg>'
        f'<details class="numbers"><summary>numbers</summary>'
        f"{page.table(chart.title, head, numbers)}</details></figure>"
    )


def _summary(chart: Chart) -> str:
    """What one would say of the chart: its highest bars."""
    found = [
        (value, f"{chart.names[at]} {series}".strip() if len(chart.series) > 1 else chart.names[at])
        for series, values in chart.series.items()
        for at, value in enumerate(values)
        if value
    ]
    highest = sorted(found, key=lambda pair: -pair[0])[:3]
    told = ", ".join(f"{name} {value:g}" for value, name in highest)
    return f"{chart.title}. Highest: {told}." if told else f"{chart.title}: nothing."
