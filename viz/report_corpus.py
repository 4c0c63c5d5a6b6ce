"""The report page's sections on the corpus: funnel, rejections, duplicates, splits, labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from corpus import files, reports
from corpus.records import SPLITS, Rejection, StageReport
from viz import licenses
from viz.drawing import Bar, bars, beside
from viz.facts import Facts
from viz.meanings import meaning
from viz.page import table, text

_NUM_EXAMPLES = 4  # of a reason
_NUM_CLUSTERS, _NUM_MEMBERS = 10, 6
_NUM_GENRES = 15
_NUM_NAMES = 20
_BINS = 10

_KINDS = {
    "bytes": "the same bytes",
    "notes": "the same notes",
    "near": "nearly the same notes: transposed, stretched, cut or re-orchestrated",
}


@dataclass(frozen=True)
class Ran:
    """A stage that has run: what to call it, its folder and its report."""

    name: str
    folder: str
    report: StageReport


def stages(facts: Facts) -> Iterator[Ran]:
    """Every stage that has finished, in the order of the road; each model's genres side by side."""
    place, data = facts.place, facts.config.data
    raw = files.join(data, "raw")
    for source in files.list_folders(raw):
        yield from _ran(f"scrape {source}", files.join(raw, source))
    yield from _ran("ingest", place.notesequences)
    yield from _ran("genres", place.genres)
    yield from _ran("subsets", place.subsets)
    yield from _ran("crossover", place.reports)
    yield from _ran("explore", place.explore)
    for folder, report in facts.examples.items():
        yield Ran(f"examples {folder}", place.examples(folder), report)
    of_models = (("models", facts.models), ("models", facts.refining), ("samples", facts.samples))
    for kind, found in of_models:
        for model, jobs in found.items():
            for folder, report in jobs.items():
                path = files.join(data, kind, model, folder)
                yield Ran(f"{report.stage} {model}, {folder}", path, report)
    yield from _ran("export", place.export)


def _ran(name: str, folder: str) -> Iterator[Ran]:
    if report := reports.read(folder):
        yield Ran(name, folder, report)


def steps(facts: Facts) -> list[tuple[str, int]]:
    """(step, tracks left after it), from files to subsets, as far as the stages have run."""
    if facts.subsets:
        funnel = facts.subsets.details["funnel"]
        assert isinstance(funnel, dict)
        return [(str(step), int(count)) for step, count in funnel.items()]
    if facts.ingest is None:
        return []
    found = [("files", int(str(facts.ingest.details.get("files", facts.ingest.inputs))))]
    unique = facts.tracks[facts.tracks["duplicate_of"] == ""]
    found += [("read", len(facts.tracks)), ("unique", len(unique))]
    if facts.genres:
        artists = facts.artist_rows
        named = set(artists[artists["genre"] != ""]["artist"])
        of_track = unique["track_id"].isin(set(facts.track_rows["track_id"]))
        found.append(("genre found", int((unique["artist"].isin(named) | of_track).sum())))
    return found


def funnel(facts: Facts) -> Iterator[str]:
    """From files to pieces with examples, as a picture and as a table."""
    found = steps(facts)
    yield '<h2 id="funnel">From files to samples</h2>'
    if not found:
        yield '<p class="missing">Nothing was ingested yet: run <code>make ingest</code>.</p>'
        return
    first = found[0][1] or 1
    drawn, rows, before = [], [], found[0][1]
    for step, count in found:
        share = f"{count / first:.1%}"
        parts = ("kept", float(count)), ("gone", float(max(before - count, 0)))
        drawn.append(Bar(step, f"{count:,} ({share})", parts))
        rows.append([text(step), f"{count:,}", share, f"{before - count:,}"])
        before = count
    told = ", ".join(f"{count:,} {step}" for step, count in found)
    head = ["step", "tracks", "of all files", "lost here"]
    picture = bars(f"Tracks that are left after each step: {told}", drawn)
    words = "Blue: what is left. Red: what the step took away."
    yield beside(picture, words, table("Tracks left after each step", head, rows))


def stage_rows(facts: Facts) -> Iterator[str]:
    """A row a stage: inputs are outputs and rejections."""
    rows = []
    for ran in stages(facts):
        report = ran.report
        numbers = [f"{n:,}" for n in (report.inputs, report.outputs, sum(report.rejected.values()))]
        reasons = ", ".join(f"{text(r)} {n:,}" for r, n in report.rejected.items())
        rows.append([text(ran.name), text(report.unit), *numbers, reasons or "-"])
    head = ["stage", "unit", "inputs", "outputs", "rejected", "reasons"]
    yield '<h2 id="stages">What every stage did</h2>'
    yield table("Every input is an output or a rejection", head, rows)


def rejections(facts: Facts) -> Iterator[str]:
    """Why inputs gave nothing: by stage and reason, with examples."""
    yield '<h2 id="rejections">What was left out, and why</h2>'
    found = [ran for ran in stages(facts) if ran.report.rejected]
    if not found:
        yield "<p>No stage rejected anything.</p>"
    for ran in found:
        yield f"<h3>{text(ran.name)}</h3>"
        yield from _of_stage(ran, facts.rejections(ran.folder))


def _of_stage(ran: Ran, rejected: Sequence[Rejection]) -> Iterator[str]:
    counts = ran.report.rejected
    drawn = [Bar(reason, f"{n:,}", (("gone", n),)) for reason, n in counts.items()]
    told = ", ".join(f"{reason} {n:,}" for reason, n in counts.items())
    stage = ran.report.stage
    rows = [
        [f'<code class="word">{text(reason)}</code>', f"{n:,}", text(meaning(stage, reason))]
        for reason, n in counts.items()
    ]
    head = ["reason", ran.report.unit, "what it means"]
    reasons = table(f"Reasons of {ran.name}", head, rows)
    yield beside(bars(f"{ran.name}: {told}", drawn), "", reasons)
    by_reason: dict[str, list[Rejection]] = {}
    for each in rejected:
        by_reason.setdefault(each.reason, []).append(each)
    for reason in counts:
        yield from _shown(reason, by_reason.get(reason, []))


def _shown(reason: str, mine: Sequence[Rejection]) -> Iterator[str]:
    """Some of a reason's inputs, from the first to the last."""
    if not mine:
        return
    step = max(1, len(mine) // _NUM_EXAMPLES)
    some = mine[::step][:_NUM_EXAMPLES]
    of = f"{len(some)} of {len(mine):,}" if len(some) < len(mine) else f"{len(mine):,}"
    rows = [[text(each.path), text(each.detail)] for each in some]
    yield f"<details><summary>{text(reason)}: {of}</summary>"
    yield f"{table(f'Examples of {reason}', ['path', 'detail'], rows)}</details>"


def duplicates(facts: Facts) -> Iterator[str]:
    """Tracks that are the same music: kinds, and the largest clusters."""
    yield '<h2 id="duplicates">The same music twice</h2>'
    tracks = facts.tracks
    again = tracks[tracks["duplicate_of"] != ""]
    if not len(again):
        yield "<p>No two tracks are the same music.</p>"
        return
    members = tracks[tracks["cluster"].isin(set(again["duplicate_of"]))]
    num_clusters = members["cluster"].nunique()
    clusters = f"{num_clusters:,} cluster{'s' * (num_clusters != 1)}"
    yield (
        f"<p>{len(again):,} of {len(tracks):,} tracks are the same music as another one; they and "
        f"those that represent them make {clusters}. A subset keeps one track of a cluster.</p>"
    )
    counts = again["duplicate_kind"].value_counts()
    rows = [
        [f'<code class="word">{text(k)}</code>', f"{int(counts.get(k, 0)):,}", words]
        for k, words in _KINDS.items()
    ]
    yield table("Kinds of duplicates", ["kind", "tracks", "what is the same"], rows)
    sizes = members.groupby("cluster").size().reset_index(name="n")
    largest = sizes.sort_values(["n", "cluster"], ascending=[False, True]).head(_NUM_CLUSTERS)
    rows = []
    for cluster, size in largest.itertuples(index=False, name=None):
        paths = members[members["cluster"] == cluster]["path"].tolist()
        more = f" and {len(paths) - _NUM_MEMBERS:,} more" if len(paths) > _NUM_MEMBERS else ""
        rows.append([f"{size:,}", "<br>".join(map(text, paths[:_NUM_MEMBERS])) + more])
    yield table("The largest clusters", ["tracks", "paths"], rows)


def splits(facts: Facts) -> Iterator[str]:
    """Tracks and artists of every genre and split, and by what rule they were split."""
    yield '<h2 id="splits">Genres and splits</h2>'
    if facts.subsets is None:
        yield '<p class="missing">There are no subsets yet: run <code>make subsets</code>.</p>'
        return
    counts = facts.counts()
    drawn = [
        Bar(name, " / ".join(f"{by[s]:,}" for s in SPLITS), tuple((s, by[s]) for s in SPLITS))
        for name, by in counts.items()
    ]
    told = "; ".join(f"{name}: {sum(by.values()):,} tracks" for name, by in counts.items())
    keys = "".join(f'<span class="key {s}"></span>{s}' for s in SPLITS)
    picture = bars(f"Tracks of each genre by split. {told}", drawn)
    inside = facts.members.merge(facts.tracks[["track_id", "artist"]], on="track_id")
    rows = [
        _genre_row(facts, name, inside[inside["subset"] == name]) for name in facts.subset_details
    ]
    head = ["genre", "tracks", *SPLITS, "artists", "on 2+ sides", "split by"]
    in_words = table(
        "Tracks by split; artists, and how many of them stand on several sides of it", head, rows
    )
    yield beside(picture, keys, in_words)
    notes = facts.subsets.details.get("notes", [])
    assert isinstance(notes, list)
    yield _listed([str(note) for note in notes if not str(note).startswith("funnel: ")])


def _genre_row(facts: Facts, name: str, mine: pd.DataFrame) -> list[str]:
    told = facts.subset_details[name]
    sides = mine.groupby("artist")["split"].nunique()
    each = [f"{int((mine['split'] == split).sum()):,}" for split in SPLITS]
    rule = told["split_by"] or "too few tracks: no subset"
    total = f"{mine['track_id'].nunique():,}"
    return [text(name), total, *each, f"{len(sides):,}", f"{int((sides > 1).sum()):,}", text(rule)]


def labels(facts: Facts) -> Iterator[str]:
    """Who said which genres: providers, confidences, matched names, commonest genres."""
    yield '<h2 id="labels">Where the labels come from</h2>'
    if facts.genres is None:
        yield '<p class="missing">No genres were looked up yet: run <code>make genres</code>.</p>'
        return
    yield from _providers(facts)
    if facts.subsets is not None:
        once = facts.labels.drop_duplicates(["track_id", "genre"])
        yield from _confidences(once)
        yield from _genres(once)
    yield from _matched(facts)
    yield _listed([str(note) for note in _notes(facts.genres)])


def _notes(report: StageReport) -> list[object]:
    notes = report.details.get("notes", [])
    return notes if isinstance(notes, list) else []


def _providers(facts: Facts) -> Iterator[str]:
    artists, tracks = facts.artist_rows, facts.track_rows
    artists = artists[artists["genre"] != ""]
    rows = []
    for name in sorted({*artists["provider"], *tracks["provider"]}):
        by, own = artists[artists["provider"] == name], tracks[tracks["provider"] == name]
        terms, stated = licenses.terms_of(name)
        with_rows = sorted({*by["license"], *own["license"]} - {""})
        numbers = [len(by) + len(own), by["artist"].nunique(), own["track_id"].nunique()]
        license_ = "; ".join(map(text, with_rows)) or text(stated) or licenses.NOT_STATED
        rows.append([text(name), *(f"{n:,}" for n in numbers), license_, text(terms)])
    head = ["provider", "labels", "artists", "tracks", "license", "terms"]
    yield table(
        "Providers of genres, and how many artists and single tracks they label", head, rows
    )


def _confidences(once: pd.DataFrame) -> Iterator[str]:
    if not len(once):
        return
    which = (once["confidence"] * _BINS).astype(int).clip(0, _BINS - 1)
    counts = {int(str(index)): int(n) for index, n in which.value_counts().items()}
    drawn, rows = [], []
    for index, n in sorted(counts.items()):
        name = f"{index / _BINS:.1f} to {(index + 1) / _BINS:.1f}"
        drawn.append(Bar(name, f"{n:,}", (("kept", float(n)),)))
        rows.append([name, f"{n:,}"])
    told = ", ".join(f"{bar.name}: {bar.shown}" for bar in drawn)
    as_table = table("Labels of tracks by confidence", ["confidence", "labels"], rows)
    yield "<h3>How sure the labels are</h3>"
    yield beside(bars(f"Confidences: {told}", drawn), "", as_table)


def _genres(once: pd.DataFrame) -> Iterator[str]:
    counts = once.groupby(["genre", "family"])["track_id"].nunique().reset_index(name="n")
    top = counts.sort_values(["n", "genre"], ascending=[False, True]).head(_NUM_GENRES)
    rows = [[text(g), text(f), f"{n:,}"] for g, f, n in top.itertuples(index=False, name=None)]
    yield "<h3>Commonest genres</h3>"
    yield f"<p>{counts['genre'].nunique():,} genres of {counts['family'].nunique():,} families.</p>"
    yield table("Tracks of the commonest genres", ["genre", "family", "tracks"], rows)


def _matched(facts: Facts) -> Iterator[str]:
    """Names that were matched although they are not spelled alike, the least sure first."""
    artists = facts.artist_rows
    differ = artists[(artists["genre"] != "") & (artists["matched_name"] != artists["artist"])]
    columns = ["artist", "matched_name", "provider", "match_score"]
    pairs = differ[columns].drop_duplicates().sort_values(["match_score", *columns[:3]])
    if not len(pairs):
        return
    rows = [
        [text(artist), text(name), text(provider), f"{score:.3f}"]
        for artist, name, provider, score in pairs.head(_NUM_NAMES).itertuples(
            index=False, name=None
        )
    ]
    yield f"<h3>Names that were matched, but are not spelled alike: {len(pairs):,}</h3>"
    head = ["artist here", "name there", "provider", "likeness, 0 to 1"]
    yield table("The least alike first", head, rows)


def _listed(notes: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{text(note)}</li>' for note in notes)}</ul>" if notes else ""
