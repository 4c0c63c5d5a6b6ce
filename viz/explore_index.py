"""The explorer's first page: what the tables say of each genre."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from corpus.records import SPLITS, GenreLabel, Track
from viz import charts, genre_facts, page
from viz.genre_facts import GenreFacts
from viz.pieces import Member

_HEAD = (
    "genre", "tracks", "artists", "hours", "tempo", "length", "key", *SPLITS, "pieces shown",
)  # fmt: skip


def render(
    members: Mapping[str, Sequence[Member]],
    shown: Mapping[str, int],
    first_pages: Mapping[str, str],
    tracks: Sequence[Track],
    labels: Sequence[GenreLabel],
    missing: Sequence[str],
) -> str:
    """The page.

    Args:
      members: subset -> all its members.
      shown: subset -> how many pieces have a roll.
      first_pages: subset -> the page with the first of them.
      tracks, labels: the whole tables.
      missing: encodings that the pieces are not shown in.
    """
    facts = [genre_facts.of_genre(name, mine) for name, mine in members.items()]
    parts = [
        "<h1>Genres and pieces</h1>",
        f"<p>{_said(len(tracks), 'track')} were read; the genres of "
        f"{len({label.track_id for label in labels}):,} are known, and "
        f"{len({m.track.track_id for mine in members.values() for m in mine}):,} stand in "
        f"{_said(len(members), 'subset')}. A track counts in each of its genres.</p>",
        page.table("Subsets", _HEAD, [_row(each, shown, first_pages) for each in facts]),
        *(_genre(each, members[each.subset], shown, first_pages) for each in facts),
        _all_labels(tracks, labels),
        _missing(missing),
    ]
    styles = [page.static("explore.css")]
    return page.page("Genres and pieces", "\n".join(parts), styles=styles)


def _row(facts: GenreFacts, shown: Mapping[str, int], first_pages: Mapping[str, str]) -> list[str]:
    key = next((key for key in facts.keys if key), "–")
    link = f'<a href="{page.text(first_pages[facts.subset])}">{shown[facts.subset]:,}</a>'
    return [
        page.text(facts.subset),
        f"{facts.tracks:,}",
        f"{facts.artists:,}",
        f"{facts.hours:.1f}",
        f"{facts.median_qpm:.0f}",
        f"{facts.median_minutes:.1f} min",
        page.text(key),
        *(f"{facts.splits[split]:,}" for split in SPLITS),
        link if first_pages[facts.subset] else "0",
    ]


def _genre(
    facts: GenreFacts,
    members: Sequence[Member],
    shown: Mapping[str, int],
    first_pages: Mapping[str, str],
) -> str:
    tracks = [member.track for member in members]
    count, first = shown[facts.subset], first_pages[facts.subset]
    words = f"{count:,} of {_said(facts.tracks, 'piece')} to see and hear"
    link = f'<a class="button" href="{page.text(first)}">{words}</a>' if first else words
    drawn = [
        charts.columns(genre_facts.tempo_chart(tracks)),
        charts.columns(genre_facts.length_chart(tracks)),
        charts.columns(genre_facts.key_chart(tracks)),
        charts.rows(genre_facts.instrument_chart(facts)),
    ]
    return (
        f"<section><h2>{page.text(facts.subset)}</h2>"
        f"<p>{_said(facts.tracks, 'track')} of {_said(facts.artists, 'artist')}, "
        f"{facts.hours:.1f} hours; {_splits(facts)}.{_keyless(facts)}</p><p>{link}</p>"
        f'<div class="charts">{"".join(drawn)}</div></section>'
    )


def _splits(facts: GenreFacts) -> str:
    return ", ".join(f"{count:,} {split}" for split, count in facts.splits.items())


def _keyless(facts: GenreFacts) -> str:
    count = facts.keys.get("", 0)
    return f" No key was found for {count:,}." if count else ""


def _all_labels(tracks: Sequence[Track], labels: Sequence[GenreLabel]) -> str:
    counts = genre_facts.label_counts(tracks, labels)
    rows = [
        [page.text(each.genre), page.text(each.family), f"{each.tracks:,}", f"{each.artists:,}"]
        for each in counts
    ]
    head = ("genre", "family", "tracks", "artists")
    return (
        f"<h2>All genres</h2><details><summary>{_said(len(counts), 'genre')} of this corpus, "
        f"asked for or not</summary>{page.table('Genres that tracks carry', head, rows)}</details>"
    )


def _missing(missing: Sequence[str]) -> str:
    if not missing:
        return ""
    listed = page.text(", ".join(missing))
    return (
        f'<p class="soft small">Pieces are not shown in {listed}: these take long, and stand there '
        "once <code>make examples</code> has used one.</p>"
    )


def _said(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
