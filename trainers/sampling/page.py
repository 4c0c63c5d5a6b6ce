"""The samples of a sweep side by side: one page without anything outside it, but the files."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_WIDTH, _HEIGHT, _MARGIN = 220, 64, 2
_MIN_PITCHES = 12

_STYLE = """
:root{color-scheme:light dark;--ink:#222;--soft:#666;--line:#ccc;--paper:#fff;--roll:#f3f4f6;
--note:#27567c;--link:#1a56a0}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8ee;--soft:#9aa3b2;--line:#39404e;--paper:#14171d;
--roll:#1d222b;--note:#8fc1ea;--link:#8fb4ea}}
body{font:14px system-ui,sans-serif;margin:1em;color:var(--ink);background:var(--paper)}
a{color:var(--link)}table{border-collapse:collapse;display:block;overflow-x:auto}
th,td{border:1px solid var(--line);padding:.4em;text-align:left;vertical-align:top}
svg{background:var(--roll);display:block}rect{fill:var(--note)}small{color:var(--soft)}
"""


@dataclass(frozen=True)
class Cell:
    """A sample: the name of its file, empty where there is none, and its roll as SVG or a word."""

    name: str
    picture: str


@dataclass(frozen=True)
class Row:
    """The samples of one combination of settings; `remark` is said below it."""

    settings: str
    remark: str
    cells: Sequence[Cell]


def piano_roll(sequence: Any) -> str:
    """The notes of a NoteSequence as a small SVG: time to the right, pitch upwards."""
    pitches = [note.pitch for note in sequence.notes] or [60]
    low = min(min(pitches), max(pitches) - _MIN_PITCHES)
    rows = max(pitches) - low + 1
    end = max([note.end_time for note in sequence.notes] or [1.0]) or 1.0
    high, wide = (_HEIGHT - 2 * _MARGIN) / rows, (_WIDTH - 2 * _MARGIN) / end
    notes = "".join(
        f'<rect x="{_MARGIN + note.start_time * wide:.1f}" '
        f'y="{_MARGIN + (max(pitches) - note.pitch) * high:.1f}" '
        f'width="{max((note.end_time - note.start_time) * wide, 0.5):.1f}" height="{high:.1f}"/>'
        for note in sequence.notes
    )
    words = f"{len(sequence.notes)} notes, {end:.1f} s"
    return (
        f'<svg role="img" aria-label="{words}" width="{_WIDTH}" height="{_HEIGHT}">{notes}</svg>'
        f"<small>{words}</small>"
    )


def page(title: str, rows: Sequence[Row]) -> str:
    """The page as HTML."""
    return "\n".join(_lines(title, rows)) + "\n"


def _lines(title: str, rows: Sequence[Row]) -> Iterator[str]:
    heading = html.escape(title)
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield f"<title>{heading}</title><style>{_STYLE}</style></head><body><h1>{heading}</h1><table>"
    count = max((len(row.cells) for row in rows), default=0)
    numbers = "".join(f"<th>{number}</th>" for number in range(1, count + 1))
    yield f"<tr><th>settings</th>{numbers}</tr>"
    for row in rows:
        remark = f"<br><small>{html.escape(row.remark)}</small>" if row.remark else ""
        yield f"<tr><th>{html.escape(row.settings)}{remark}</th>"
        for cell in row.cells:
            name = html.escape(cell.name, quote=True)
            link = f'<br><a href="{name}">{name}</a>' if name else ""
            yield f"<td>{cell.picture}{link}</td>"
        yield "</tr>"
    yield "</table></body></html>"
