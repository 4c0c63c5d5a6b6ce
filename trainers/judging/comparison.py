"""All models that were judged, beside each other: one page, a table a genre, a row a model.

It is made anew, from the JSON files that lie there, whenever a model is judged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from corpus import files
from corpus.layout import Layout
from trainers.judging.page import document, table, text

_PREFIX, _SUFFIX = "evaluation_", ".json"
_HEAD = (
    "model", "encoding", "samples", "nats an event", "BLEU", "copied run", "pitch-class entropy",
    "in the best scale", "empty bars", "distinct windows", "distinct pitches",
)  # fmt: skip
_FIGURES = ("pitch_class_entropy", "scale_consistency", "empty_bars")

Plain = Mapping[str, Any]


def write(layout: Layout) -> str:
    """Writes the page; returns its path."""
    path = files.join(layout.reports, "models.html")
    files.write_bytes(path, page(judged(layout)).encode())
    return path


def judged(layout: Layout) -> dict[str, Plain]:
    """Model -> what was found of it, of each file that an evaluation wrote."""
    found = {}
    for name in sorted(files.list_names(layout.reports)):
        if name.startswith(_PREFIX) and name.endswith(_SUFFIX):
            told = json.loads(files.read_bytes(files.join(layout.reports, name)))
            found[name.removeprefix(_PREFIX).removesuffix(_SUFFIX)] = told
    return found


def page(found: Mapping[str, Plain]) -> str:
    """The page of all evaluations, which are as `trainers.evaluate` writes them."""
    return document("Which model is worth using?", _body(found))


def _body(found: Mapping[str, Plain]) -> Iterator[str]:
    yield (
        '<p>Each figure of <span class="ours">samples</span> stands over the same of '
        '<span class="real">held-out music</span>, as the model\'s own encoding keeps it: what '
        "lies near it is like real music, whatever the figure. Nats an event compare models of "
        "one encoding only. A copied run is the share of an excerpt that one training piece has "
        "note for note. Windows that are the same again are a sign of collapse.</p>"
    )
    genres = dict.fromkeys(g["genre"] for told in found.values() for g in told["genres"])
    for genre in genres:
        rows = [
            _row(model, told, judged)
            for model, told in found.items()
            for judged in told["genres"]
            if judged["genre"] == genre
        ]
        yield f"<section><h2>{text(genre)}</h2>"
        yield from table(f"{len(rows)} models", _HEAD, rows)
        yield "</section>"


def _row(model: str, told: Plain, genre: Plain) -> list[str]:
    losses = genre["losses"] or {}
    original = genre["originality"] or {}
    variety, real = genre["variety"] or {}, genre["real_variety"] or {}
    return [
        f'<a href="{_PREFIX}{text(model)}.html">{text(model)}</a>',
        text("its own" if told["encoding"] == model else told["encoding"]),
        f"{genre['samples']:,}",
        _shown((losses.get("test") or {}).get("loss")),
        _pair(*((genre[kind] or {}).get("bleu") for kind in ("bleu", "real_bleu"))),
        _pair(*((original.get(kind) or {}).get("mean") for kind in ("run", "real_run"))),
        *(_figure(genre, name) for name in _FIGURES),
        _pair(variety.get("distinct_windows"), real.get("distinct_windows")),
        _pair(variety.get("distinct_pitches"), real.get("distinct_pitches")),
    ]


def _figure(genre: Plain, name: str) -> str:
    of = genre["figures"].get(name) or {}
    return _pair(*((of.get(kind) or {}).get("mean") for kind in ("samples", "real")))


def _pair(ours: float | None, real: float | None) -> str:
    return f'<span class="ours">{_shown(ours)}</span><br><span class="real">{_shown(real)}</span>'


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
