"""reports/report.html: what every stage did, in one page that needs no network."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import corpus
from corpus import files, layout, reports
from corpus.config import Config
from viz import card, croissant, licenses, report_corpus, report_models, report_rebuild, staleness
from viz.facts import Facts
from viz.page import page, static, table, text

_SECTIONS = {
    "funnel": "funnel", "stages": "stages", "rejections": "left out", "duplicates": "duplicates",
    "splits": "genres and splits", "labels": "labels", "examples": "examples", "models": "models",
    "samples": "samples", "evaluation": "evaluation", "licenses": "licenses", "rebuild": "rebuild",
}  # fmt: skip
_MOST = 30  # licenses that are listed


def report_page(facts: Facts) -> str:
    """The page; its numbers are those of the tables and of the stages' reports."""
    body = "\n".join(
        [
            *_head(facts),
            *report_corpus.funnel(facts),
            *report_models.road(facts),
            *report_corpus.stage_rows(facts),
            *report_corpus.rejections(facts),
            *report_corpus.duplicates(facts),
            *report_corpus.splits(facts),
            *report_corpus.labels(facts),
            *report_models.examples(facts),
            *report_models.models(facts),
            *report_models.samples(facts),
            *report_models.evaluation(facts),
            *_licenses(facts),
            *report_rebuild.rebuilding(facts),
        ]
    )
    return page(f"Report: {card.title(facts)}", body, styles=[static("report.css")])


def _head(facts: Facts) -> Iterator[str]:
    yield f"<h1>{text(card.title(facts))}</h1>"
    yield f'<p class="soft">What GenreMill {text(corpus.__version__)} made, stage by stage.</p>'
    links = [f'<a href="#{at}">{text(words)}</a>' for at, words in _SECTIONS.items()]
    yield f'<nav class="toc" aria-label="Sections">{"".join(links)}</nav>'
    yield from _pages(facts)
    tiles = [
        f'<div class="tile"><b>{number}</b><span>{text(what)}</span></div>'
        for what, number in tiles_of(facts).items()
    ]
    yield f'<div class="tiles">{"".join(tiles)}</div>'
    if wrong := [*staleness.outdated(facts), *staleness.other_settings(facts)]:
        lines = "".join(f"<p>{text(line)}</p>" for line in wrong)
        yield f'<div class="warnings" role="note"><strong>Not up to date</strong>{lines}</div>'


def tiles_of(facts: Facts) -> dict[str, str]:
    """The largest numbers, as far as their stages have run: what -> number."""
    tracks = facts.tracks
    found = {"scores read": f"{len(tracks):,}", "artists": f"{tracks['artist'].nunique():,}"}
    found["hours of music"] = f"{float(tracks['seconds'].sum()) / 3600:,.1f}"
    found["notes"] = f"{int(tracks['num_notes'].sum()):,}"
    if facts.subsets:
        found["genres with a subset"] = f"{len(facts.subset_names):,}"
        found["tracks in a subset"] = f"{facts.members['track_id'].nunique():,}"
    for folder, report in facts.examples.items():
        found[f"examples, {folder}"] = f"{report_models.num_examples(report):,}"
    if trained := facts.models:
        found["models"] = f"{sum(map(len, trained.values())):,}"
    if sampled := facts.samples:
        jobs = [report for by in sampled.values() for report in by.values()]
        found["samples"] = f"{sum(report.outputs for report in jobs):,}"
    return found


def _pages(facts: Facts) -> Iterator[str]:
    """Links to the other pages that there are, and to the card."""
    place = facts.place
    known = [
        (
            files.join(place.reports, layout.CROSSOVER_PAGE),
            layout.CROSSOVER_PAGE,
            "How genres cross over",
        ),
        (
            files.join(place.explore, layout.INDEX_PAGE),
            "../explore/index.html",
            "Explore the pieces",
        ),
    ]
    for model in sorted({*facts.models, *facts.samples}):
        address = f"../samples/{quote(model)}/listen.html"
        known.append((place.listening(model), address, f"Listen to {model}"))
    for model in report_models.evaluations(facts):
        name = f"evaluation_{model}.html"
        known.append((files.join(place.reports, name), quote(name), f"Evaluation of {model}"))
    known.append((files.join(place.card, card.CARD), f"card/{card.CARD}", "Dataset card"))
    known.append((files.join(place.export, card.CARD), f"../export/{card.CARD}", "Export"))
    links = [
        f'<a class="button" href="{text(to)}">{text(words)}</a>'
        for path, to, words in known
        if files.exists(path)
    ]
    if links:
        yield f'<p class="pages">{" ".join(links)}</p>'


def _licenses(facts: Facts) -> Iterator[str]:
    whole = licenses.whole_of(facts)
    told = licenses.by_license(facts.taken)
    yield '<h2 id="licenses">Licenses</h2>'
    yield f"<p>As a whole: <code>{text(whole.hub)}</code>. {text(whole.why)}</p>"
    rows = [
        [text(row.license) or licenses.NOT_STATED, f"{row.tracks:,}", text(row.sources)]
        for row in told.head(_MOST).itertuples()
    ]
    caption = "Tracks by license, as their sources state it"
    if len(told) > _MOST:
        caption += f": the {_MOST} commonest of {len(told):,}; {card.LICENSES} has all"
    yield table(caption, ["license", "tracks", "sources"], rows)


def write(config: Config) -> list[str]:
    """Writes the card and the page; returns the paths.

    Raises:
      ValueError: nothing was ingested.
    """
    facts = Facts(config)
    reports.require(facts.place.notesequences, "ingest")
    counts = facts.counts()
    texts = {
        card.CARD: card.card(facts, counts),
        card.CROISSANT: croissant.of_tables(facts),
        card.LICENSES: licenses.licenses_file(facts),
        card.ATTRIBUTION: licenses.attribution_file(facts),
    }
    paths = {files.join(facts.place.card, name): made for name, made in texts.items()}
    for path, made in paths.items():
        files.write_bytes(path, made.encode("utf-8", "replace"))
    files.write_bytes(facts.place.report_page, report_page(facts).encode("utf-8", "replace"))
    return [facts.place.report_page, *paths]
