"""The explorer's pages of pieces: rolls, sound, facts, and what each encoding makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from corpus.layout import INDEX_PAGE
from corpus.records import GenreLabel, Track
from viz import genre_facts, page
from viz.encoded import Encoded, ReadPiece
from viz.pieces import Member

PIECES_A_PAGE = 20


@dataclass(frozen=True)
class Genre:
    """What the pages of a genre share.

    Attributes:
      name: of the subset; total: its members, shown or not.
      pages: the file names of its pages.
      encoded_as: `full` or `magenta`.
    """

    name: str
    total: int
    shown: int
    pages: Sequence[str]
    encoded_as: str


def render(genre: Genre, number: int, pieces: Sequence[tuple[Member, ReadPiece]]) -> str:
    """Page `number` of a genre, from 0."""
    title = f"{genre.name}: pieces"
    pager = _pager(genre, number)
    first = number * PIECES_A_PAGE + 1
    body = [
        f'<nav class="crumbs"><a href="{INDEX_PAGE}">All genres</a></nav>',
        f"<h1>{page.text(genre.name)}</h1>",
        f"<p>{genre.shown:,} of {genre.total:,} shown, spread evenly over the artists; here are "
        f"{first:,} to {first + len(pieces) - 1:,}. A click on a roll plays from there; while it "
        "plays, the arrow keys skip five seconds. A small synthesizer in this page plays the "
        "notes; it is not how the file's author heard them.</p>",
        pager,
        *(_article(member, read, genre) for member, read in pieces),
        pager,
    ]
    return page.page(
        title,
        "\n".join(body),
        data={"music": [read.music for _, read in pieces]},
        styles=[page.static("explore.css")],
        scripts=[page.static("player.js"), page.static("explore.js")],
    )


def _pager(genre: Genre, number: int) -> str:
    if len(genre.pages) < 2:
        return ""
    links = [
        f'<span aria-current="page">{at + 1}</span>'
        if at == number
        else f'<a href="{page.text(name)}">{at + 1}</a>'
        for at, name in enumerate(genre.pages)
    ]
    return (
        f'<nav class="pager" aria-label="Pages of {page.text(genre.name)}">{" ".join(links)}</nav>'
    )


def _article(member: Member, read: ReadPiece, genre: Genre) -> str:
    name = name_of(member.track)
    return (
        f'<article class="piece" data-name="{page.text(name)}">'
        f"<h2>{page.text(name)}</h2>"
        f'<canvas class="roll" role="img" aria-label="Piano roll of {page.text(name)}"></canvas>'
        f'<div class="sound"></div>{_chips(member.labels)}'
        f"{_facts(member)}{_encodings(read.encoded, genre)}</article>"
    )


def name_of(track: Track) -> str:
    """Artist and title of a track, with the name of the tune in its book."""
    title = " ".join(part for part in (track.title, track.tune) if part) or track.path
    return f"{track.artist or 'unknown artist'} – {title}"


def _chips(labels: Sequence[GenreLabel]) -> str:
    chips = "".join(
        f"<li{' class=here' if label.subset else ''}><b>{page.text(label.genre)}</b> "
        f"{label.confidence:.2f} <i>{page.text(', '.join(label.providers))}</i></li>"
        for label in labels
    )
    family = page.text(labels[0].family) if labels else "unknown"
    return (
        f'<p class="small soft">Family: {family}. Genres, how sure they are (of 1), who says so:'
        f'</p><ul class="chips">{chips}</ul>'
    )


def _facts(member: Member) -> str:
    track = member.track
    listed = [
        ("tempo", _tempo(track)),
        ("meter", _meter(track)),
        ("key", f"{track.key} ({track.key_confidence:.2f})" if track.key else "unknown"),
        ("length", clock(track.seconds)),
        ("notes", f"{track.num_notes:,}"),
        ("sounding at once", f"{track.polyphony:.1f} on average, {track.max_polyphony} at most"),
        ("on the grid", f"{100 * track.on_grid_4:.0f} % of sixteenths"),
        ("split", member.split),
        ("instruments", ", ".join(genre_facts.instruments(track)) or "none"),
        ("mended", ", ".join(track.warnings) or "nothing"),
        ("license", track.license or "unknown"),
        ("source", f"{track.source}: {track.path}"),
    ]
    items = "".join(
        f"<div><dt>{name}</dt><dd>{page.text(value)}</dd></div>" for name, value in listed
    )
    return f'<dl class="facts">{items}</dl>'


def _tempo(track: Track) -> str:
    more = f", {track.num_tempos} tempos" if track.num_tempos > 1 else ""
    return f"{track.median_qpm:.0f} quarters a minute{more}"


def _meter(track: Track) -> str:
    more = f", {track.num_time_signatures} meters" if track.num_time_signatures > 1 else ""
    return (track.time_signature or "not stated") + more


def clock(seconds: float) -> str:
    """Minutes and seconds: `3:05`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _encodings(encoded: Sequence[Encoded], genre: Genre) -> str:
    using = sum(each.examples > 0 for each in encoded)
    rows = [
        [
            page.text(each.name),
            f"{each.examples:,}",
            f"{each.steps:,}",
            page.text(each.dropped) or "–",
        ]
        for each in encoded
    ]
    head = ("encoding", "examples", "steps", "what gave none, and why")
    caption = f"What each encoding makes of it (extraction {genre.encoded_as}, not transposed)"
    return (
        f'<details class="encodings"><summary>{using} of {len(encoded)} encodings make examples '
        f"of it</summary>{page.table(caption, head, rows)}</details>"
    )
