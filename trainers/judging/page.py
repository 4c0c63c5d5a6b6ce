"""The evaluation as one page that needs nothing else: no script, no network, light or dark."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from corpus.records import SPLITS
from trainers.judging import figures

Plain = Mapping[str, Any]  # what stands in the JSON file

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2230;--soft:#667;--line:#d8dce4;--paper:#fff;--ours:#b3481e;
--real:#4a6fa5}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8ee;--soft:#9aa3b2;--line:#39404e;--paper:#14171d;
--ours:#ff9a6b;--real:#8fb4ea}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:70em;
margin:2em auto;padding:0 1em}
h1,h2,h3{line-height:1.2}h2{margin-top:2.5em;border-top:1px solid var(--line);padding-top:1em}
p.soft,small,caption{color:var(--soft)}table{border-collapse:collapse;margin:.5em 0 1.5em}
caption{text-align:left;padding:.2em 0}td,th{padding:.2em .8em .2em 0;text-align:left;
border-bottom:1px solid var(--line);vertical-align:top}td.n,th.n{text-align:right;
font-variant-numeric:tabular-nums}svg{vertical-align:middle}.ours{color:var(--ours)}
.real{color:var(--real)}div.wide{overflow-x:auto}
"""
_WIDTH, _HEIGHT, _EDGE = 220, 24, 6
_MAX_SAMPLES = 30
_FEATURES = {
    "rhythm_histogram": "rhythm, all of it",
    "interval_histogram": "intervals, all of them",
    "pitch_class_histogram": "pitch classes, all of them",
}


def page(found: Plain) -> str:
    """The page of an evaluation, which is as `evaluate` writes it to JSON."""
    body = (
        *_preface(found),
        *(line for genre in found["genres"] for line in _genre(genre)),
        *_confusions(found),
    )
    return document(f"How good is {found['model']}?", body)


def document(title: str, body: Iterable[str]) -> str:
    """A page of judgements: a title, and HTML."""
    return "\n".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{text(title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{text(title)}</h1>",
            *body,
            "</body></html>\n",
        )
    )


def _preface(found: Plain) -> Iterator[str]:
    yield (
        f"<p>{text(found['judged'])} Real music is what was held out from training, as the "
        f"encoding <code>{text(found['encoding'])}</code> keeps it, and cut as short as the "
        'samples. <span class="ours">Samples</span> and <span class="real">real music</span> stand '
        "side by side, since no figure means anything by itself. Brackets and bars are 95 % "
        "intervals over pieces; where two of them lie far apart, chance does not explain it.</p>"
    )
    yield (
        '<p class="soft">Bars are of four quarters. Music without a beat, such as performances, '
        "stands at 120 quarters a minute: its bars are windows of two seconds, and groove and "
        "empty bars are to be read so.</p>"
    )
    yield from _notes(found["notes"])


def _genre(genre: Plain) -> Iterator[str]:
    yield f"<section><h2>{text(genre['genre'])}</h2>"
    yield from _losses(genre["losses"])
    yield from _own(genre["own_figures"])
    yield from _notes(genre["notes"])
    if genre["originality"]:
        yield from _originality(genre["originality"])
    if genre["bleu"]:
        yield from _bleu(genre)
    if genre["figures"]:
        yield from _figures(genre)
    if genre["overlaps"]:
        yield from _overlaps(genre["overlaps"])
    if genre["variety"]:
        yield from _variety(genre)
    yield "</section>"


def _losses(losses: Plain) -> Iterator[str]:
    if losses:
        rows = [
            [split, f"{of['examples']:,}", _number(of["loss"]), _number(of["accuracy"])]
            for split, of in losses.items()
        ]
        yield from table(
            "How well it predicts, as its file says: nats per event, share that is right",
            ["split", "examples", "loss", "accuracy"],
            rows,
        )


def _own(figures_by_words: Mapping[str, Plain]) -> Iterator[str]:
    if figures_by_words:
        rows = [
            [text(words), *(_number(of.get(split)) for split in SPLITS)]
            for words, of in figures_by_words.items()
        ]
        yield from table(
            "What the model's file says of it beside, on examples of each split",
            ["", *SPLITS],
            rows,
        )


def _variety(genre: Plain) -> Iterator[str]:
    rows = [
        [words, f"{of['distinct_windows']:.3f}", f"{of['distinct_pitches']}", f"{of['windows']:,}"]
        for words, of in (("samples", genre["variety"]), ("real music", genre["real_variety"]))
        if of
    ]
    yield from table(
        "How much the windows repeat each other: a model that has collapsed makes the same again",
        ["", "share of different windows", "different pitches", "windows"],
        rows,
    )


def _originality(found: Plain) -> Iterator[str]:
    yield f"<h3>Originality</h3><p><b>{text(found['verdict'])}</b>.</p>"
    yield (
        f'<p class="soft">Excerpts of {found["words"]} notes against '
        f"{found['training_lines']:,} different lines of {found['training_pieces']:,} training "
        "pieces, by interval and rhythm, in any key and tempo.</p>"
    )
    names = {
        "run": "longest run: notes in a row that stand so in one piece",
        "subsequence": "longest common subsequence: the same, others may lie between",
    }
    rows = [
        _pair_row(words, found[kind], found[f"real_{kind}"], found[f"more_{kind}"])
        for kind, words in names.items()
    ]
    yield from table("Share of an excerpt's notes that one training piece has", _PAIR_HEAD, rows)
    shown = [
        [
            text(one["name"]),
            _common(one["run"]),
            _source(one["run"]),
            _common(one["subsequence"]),
            _source(one["subsequence"]),
        ]
        for one in found["samples"][:_MAX_SAMPLES]
    ]
    more = len(found["samples"]) - len(shown)
    yield from table(
        "The excerpt of each sample that copies longest" + (f"; {more} more in JSON" * (more > 0)),
        ["sample", "run", "piece next to it", "subsequence", "piece next to it"],
        shown,
    )


def _common(common: Plain) -> str:
    where = ""
    if common["first"] is not None:
        where = f"<br><small>quarter {common['first']:g} to {common['last']:g}</small>"
    return f"{common['words']} ({100 * common['share']:.0f} %){where}"


def _source(common: Plain) -> str:
    return f"{text(common['piece'])}<br><small>{text(common['place'])}</small>"


def _bleu(genre: Plain) -> Iterator[str]:
    rows = []
    for words, of in (("samples", genre["bleu"]), ("real music", genre["real_bleu"])):
        if of:
            rows.append(
                [
                    words,
                    f"{of['bleu']:.3f} {_bounds(of['low'], of['high'])}",
                    _number(of["bleu_2_to_5"]),
                    *(_number(precision) for precision in of["precisions"]),
                    f"{of['candidates']:,}",
                    f"{of['references']:,}",
                ]
            )
    yield from table(
        "BLEU against half of the held-out pieces; real music is the other half",
        ["", "1 to 4 grams", "2 to 5 grams", *(f"p{n}" for n in range(1, 6)), "of", "against"],
        rows,
    )


_PAIR_HEAD = ["", "samples", "real music", "samples are higher by", ""]


def _figures(genre: Plain) -> Iterator[str]:
    rows = [
        _pair_row(figures.FIGURES[name].words, of["samples"], of["real"], of["difference"])
        for name, of in genre["figures"].items()
    ]
    yield from table(
        f"Figures of {genre['sample_windows']} windows of samples and {genre['real_windows']} of "
        f"held-out music, {genre['num_bars']} bars each",
        _PAIR_HEAD,
        rows,
    )


def _pair_row(words: str, ours: Plain | None, real: Plain | None, more: Plain | None) -> list[str]:
    return [text(words), _estimate(ours), _estimate(real), _estimate(more), _bars(ours, real)]


def _overlaps(overlaps: Mapping[str, Sequence[Plain | None]]) -> Iterator[str]:
    rows = []
    for name, (ours, real) in overlaps.items():
        words = _FEATURES.get(name) or figures.FIGURES[name].words
        rows.append([text(words), *_overlap(ours), *_overlap(real)])
    head = ["", "overlap of samples", "divergence", "overlap of real halves", "divergence"]
    yield from table(
        "Distances to real music beside distances inside it: 1 and 0 nats where nothing tells "
        "them apart",
        head,
        rows,
    )


def _overlap(of: Plain | None) -> list[str]:
    if of is None:
        return ["-", "-"]
    divergence = _bounds(of["divergence_low"], of["divergence_high"])
    return [
        f"{of['overlap']:.3f} {_bounds(of['low'], of['high'])}",
        f"{of['divergence']:.3f} {divergence}",
    ]


def _confusions(found: Plain) -> Iterator[str]:
    kinds = {"real_confusion": "held-out music", "sample_confusion": "samples"}
    if not any(found[kind] for kind in kinds):
        return
    yield "<section><h2>Which genre it sounds like</h2>"
    for kind, words in kinds.items():
        of = found[kind]
        if not of:
            continue
        head = [f"{words} of", *of["genres"], "told right"]
        rows = [
            [text(name), *map(str, counts), f"{100 * of['right'][name]:.0f} %"]
            for name, counts in of["rows"].items()
        ]
        yield from table(f"What windows of {words} are taken for", head, rows)
        if of["accuracy"]:
            yield (
                f"<p>Balanced accuracy {_estimate(of['accuracy'])}, by chance "
                f"{of['chance']:.3f}.</p>"
            )
    yield "</section>"


def _bars(ours: Plain | None, real: Plain | None) -> str:
    """Two intervals on one scale, as a picture."""
    both = [(of, color) for of, color in ((ours, "ours"), (real, "real")) if of]
    edges = [of[key] for of, _ in both for key in ("low", "mean", "high") if of[key] is not None]
    if not edges:
        return ""
    low, width = min(edges), max(max(edges) - min(edges), 1e-9)

    def at(value: float) -> str:
        return f"{_EDGE + (value - low) / width * (_WIDTH - 2 * _EDGE):.1f}"

    parts = []
    for row, (of, color) in enumerate(both):
        y = 8 + 9 * row
        if of["low"] is not None:
            parts.append(
                f'<line x1="{at(of["low"])}" x2="{at(of["high"])}" y1="{y}" y2="{y}" '
                'stroke="currentColor" stroke-width="2" class="' + color + '"/>'
            )
        parts.append(
            f'<circle cx="{at(of["mean"])}" cy="{y}" r="3.5" fill="currentColor" class="{color}"/>'
        )
    label = " and ".join(f"{of['mean']:.3g}" for of, _ in both)
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
    )


def _estimate(of: Plain | None) -> str:
    return "-" if of is None else f"{of['mean']:.3f} {_bounds(of['low'], of['high'])}"


def _bounds(low: float | None, high: float | None) -> str:
    return "" if low is None else f"<small>[{low:.3f}, {high:.3f}]</small>"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _notes(notes: Sequence[str]) -> Iterator[str]:
    if notes:
        yield "<ul>" + "".join(f"<li>{text(note)}</li>" for note in notes) + "</ul>"


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table; cells are HTML, heads are text. Columns of one number are set to the right."""
    plain = [all(_is_number(row[at]) for row in rows) for at in range(len(head))]
    marks = [' class="n"' if is_plain else "" for is_plain in plain]
    yield f'<div class="wide"><table><caption>{text(caption)}</caption><tr>'
    yield "".join(f"<th{mark}>{text(h)}</th>" for h, mark in zip(head, marks, strict=True))
    for row in rows:
        cells = (f"<td{mark}>{cell}</td>" for cell, mark in zip(row, marks, strict=True))
        yield f"</tr><tr>{''.join(cells)}"
    yield "</tr></table></div>"


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").removesuffix(" %").isdigit() or cell == "-"


def text(content: object) -> str:
    """Whatever strangers wrote, as text of a page."""
    return html.escape(str(content))
