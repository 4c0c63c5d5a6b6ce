"""The report page's sections on examples, models, samples and their evaluation."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from corpus import files
from corpus.config import own_encoding
from corpus.encodings.reasons import REASONS
from corpus.records import SPLITS, StageReport
from viz.drawing import Bar, bars, curves
from viz.facts import Facts
from viz.page import table, text

_ALL_MODELS = "models.html"  # which `make evaluate` writes
_LINES = {"train_loss": "train", "validation_loss": "validation"}


def encoding_of(model: str) -> str:
    """The encoding that a folder below models/ or samples/ is of: `name` or `name.encoding`."""
    name, _, foreign = model.partition(".")
    return foreign or own_encoding(name)


def road(facts: Facts) -> Iterator[str]:
    """From pieces to samples, a row an encoding."""
    trained, sampled = facts.models, facts.samples
    rows, drawn = [], []
    for folder, report in facts.examples.items():
        models = sum(len(jobs) for model, jobs in trained.items() if encoding_of(model) == folder)
        mine = [jobs for model, jobs in sampled.items() if encoding_of(model) == folder]
        midi = sum(job.outputs for jobs in mine for job in jobs.values())
        numbers = (report.inputs, report.outputs, num_examples(report), models, midi)
        rows.append([text(folder), *(f"{number:,}" for number in numbers)])
        parts = ("kept", float(report.outputs)), ("gone", float(sum(report.rejected.values())))
        shown = f"{report.outputs:,} of {report.inputs:,} pieces"
        drawn.append(Bar(f"with examples of {folder}", shown, parts))
    if rows:
        head = ["encoding", "pieces", "with examples", "examples", "models", "samples"]
        caption = "On from there; a track of two genres is two pieces"
        told = ", ".join(f"{bar.name}: {bar.shown}" for bar in drawn)
        yield f"<figure>{bars(told, drawn)}</figure>{table(caption, head, rows)}"


def num_examples(report: StageReport) -> int:
    """The examples of all genres and splits."""
    counts = report.details.get("examples", {})
    assert isinstance(counts, dict)
    return sum(int(number) for by in counts.values() for number in by.values())


def examples(facts: Facts) -> Iterator[str]:
    """Examples of every encoding, genre and split; what was dropped, and what would give more."""
    yield '<h2 id="examples">Examples</h2>'
    found = facts.examples
    if not found:
        yield '<p class="missing">Nothing was encoded yet: run <code>make examples</code>.</p>'
    for folder, report in found.items():
        yield f"<h3>{text(folder)}</h3>"
        counts = report.details.get("counts", {})
        assert isinstance(counts, dict)
        yield from _encoded(folder, counts)
        notes = report.details.get("notes", [])
        assert isinstance(notes, list)
        yield f"<ul>{''.join(f'<li>{text(note)}</li>' for note in notes)}</ul>"


def _encoded(folder: str, counts: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[str]:
    rows, dropped = [], Counter[str]()
    for genre, by in counts.items():
        for split in (s for s in SPLITS if s in by):
            told = by[split]
            keys = ("pieces", "pieces_with_examples", "examples", "steps")
            numbers = [f"{int(told[key]):,}" for key in keys]
            rows.append([text(genre), split, *numbers, f"{sum(told['dropped'].values()):,}"])
            dropped.update(told["dropped"])
    head = ["genre", "split", "pieces", "with examples", "examples", "steps", "dropped"]
    yield table(f"Examples of {folder}", head, rows)
    if dropped:
        why = [
            [f'<code class="word">{text(r)}</code>', f"{n:,}", text(_words(r))]
            for r, n in dropped.most_common()
        ]
        caption = f"What {folder} dropped: most pieces are several things that can be"
        yield table(caption, ["reason", "things", "what it means"], why)


def _words(reason: str) -> str:
    return REASONS[reason].words if reason in REASONS else ""


def models(facts: Facts) -> Iterator[str]:
    """Every model below DATA/models: curves and losses."""
    yield '<h2 id="models">Models</h2>'
    found = facts.models
    if not found:
        yield '<p class="missing">Nothing was trained yet: run <code>make train</code>.</p>'
        return
    yield (
        '<p>Loss in nats per event: <span class="key train"></span>training, '
        '<span class="key validation"></span>validation (dashed), at every '
        "evaluation; the TensorBoard logs beside each model have more. A model that makes pieces "
        "whole has a loss of its own, and an adversarial one no held-out loss.</p>"
    )
    for model, jobs in found.items():
        yield f"<h3>{text(model)}</h3>"
        yield '<div class="multiples">'
        yield from (_curve(model, folder, report) for folder, report in jobs.items())
        yield "</div>"
        yield _losses(model, jobs)


def metrics_of(report: StageReport) -> dict[str, Any]:
    """What a training says of itself; empty where it says nothing."""
    metrics = report.details.get("metrics", {})
    return metrics if isinstance(metrics, dict) else {}


def name_of(folder: str, report: StageReport) -> str:
    """What a job of a model is called: its genre, and the variant of a sweep."""
    genre = str(report.details.get("genre", folder))
    variant = str(report.details.get("variant", ""))
    return f"{genre}, {variant}" if variant else genre


def _curve(model: str, folder: str, report: StageReport) -> str:
    name = name_of(folder, report)
    history = metrics_of(report).get("history", [])
    series = {
        kind: [(float(e["step"]), float(e[key])) for e in history if e.get(key) is not None]
        for key, kind in _LINES.items()
    }
    drawn = curves(f"Loss of {model} on {name} by step", series)
    known = drawn or '<p class="missing">no curve is known</p>'
    return f"<figure><figcaption>{text(name)}</figcaption>{known}</figure>"


def _losses(model: str, jobs: Mapping[str, StageReport]) -> str:
    rows = []
    for folder, report in jobs.items():
        metrics = metrics_of(report)
        name, best = text(name_of(folder, report)), _whole(metrics, "step")
        for split in SPLITS:
            numbers = [_number(metrics, f"{split}_{what}") for what in ("loss", "accuracy")]
            rows.append([name, best, split, _whole(metrics, f"num_{split}"), *numbers])
    head = ["genre", "best step", "split", "examples", "loss", "accuracy"]
    return table(f"Losses of {model}", head, rows)


def _whole(metrics: Mapping[str, Any], key: str) -> str:
    return f"{metrics[key]:,.0f}" if metrics.get(key) is not None else "-"


def _number(metrics: Mapping[str, Any], key: str) -> str:
    return f"{metrics[key]:.3f}" if metrics.get(key) is not None else "-"


def samples(facts: Facts) -> Iterator[str]:
    """Sampled MIDI files of every model."""
    yield '<h2 id="samples">Samples</h2>'
    found = facts.samples
    if not found:
        yield '<p class="missing">Nothing was sampled yet: run <code>make sample</code>.</p>'
    for model, jobs in found.items():
        rows = []
        for folder, report in jobs.items():
            midi = [name for name in report.files if name.endswith(".mid")]
            links = [
                f'<a href="{_address("..", "samples", model, folder, name)}">{text(name)}</a>'
                for name in midi
            ]
            rows.append([text(name_of(folder, report)), f"{len(midi):,}", ", ".join(links)])
        yield table(f"Samples of {model}", ["genre", "files", "MIDI"], rows)
        page = facts.place.listening(model)
        if files.exists(page):
            address = _address("..", "samples", model, "listen.html")
            yield f'<p><a href="{address}">Listen to {text(model)} beside real music</a></p>'


def evaluations(facts: Facts) -> dict[str, dict[str, Any]]:
    """Model -> what `make evaluate` found, of each reports/evaluation_<model>.json."""
    prefix, suffix = "evaluation_", ".json"
    found = {}
    for name in files.list_names(facts.place.reports):
        if name.startswith(prefix) and name.endswith(suffix):
            value = _read_json(files.join(facts.place.reports, name))
            if isinstance(value, dict) and isinstance(value.get("genres"), list):
                found[name.removeprefix(prefix).removesuffix(suffix)] = value
    return found


def _read_json(path: str) -> object:
    try:
        return json.loads(files.read_bytes(path))
    except ValueError:
        return None


def evaluation(facts: Facts) -> Iterator[str]:
    """What the evaluation found, shortly, with the way to its own page."""
    yield '<h2 id="evaluation">Evaluation</h2>'
    found = evaluations(facts)
    if not found:
        yield '<p class="missing">Nothing was judged yet: run <code>make evaluate</code>.</p>'
    if files.exists(files.join(facts.place.reports, _ALL_MODELS)):
        yield f'<p><a href="{_address(_ALL_MODELS)}">All models beside each other</a></p>'
    for model, told in found.items():
        yield f"<h3>{text(model)}</h3>"
        head = ["genre", "samples", "test loss", "figures that differ from real music", "of"]
        yield table(f"Samples of {model} beside held-out music", head, _judged(told))
        accuracy = (told.get("real_confusion") or {}).get("accuracy")
        if accuracy:
            chance = told["real_confusion"]["chance"]
            yield (
                f"<p>A classifier of genres is right on {accuracy['mean']:.1%} of held-out windows "
                f"[{accuracy['low']:.1%}, {accuracy['high']:.1%}]; chance is {chance:.1%}.</p>"
            )
        page = f"evaluation_{model}.html"
        if files.exists(files.join(facts.place.reports, page)):
            yield f'<p><a href="{_address(page)}">All figures of {text(model)}</a></p>'


def _judged(told: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for genre in told["genres"]:
        test = (genre.get("losses") or {}).get("test") or {}
        differences = [f.get("difference") for f in (genre.get("figures") or {}).values()]
        known = [d for d in differences if d and d.get("low") is not None]
        apart = sum(d["low"] > 0 or d["high"] < 0 for d in known)
        loss = f"{test['loss']:.3f}" if test.get("loss") is not None else "-"
        row = [text(genre["genre"]), f"{genre['samples']:,}", loss, f"{apart:,}", f"{len(known):,}"]
        rows.append(row)
    return rows


def _address(*parts: str) -> str:
    """A relative address for an attribute."""
    return text("/".join(part if part == ".." else quote(part) for part in parts))
