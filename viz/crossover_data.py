"""What the crossover page knows: columns of artists, genres, points, songs and excerpts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from corpus import files, genres, labels, tables
from corpus.layout import Layout
from corpus.records import ArtistGenres, Track
from viz import colors, music, projection

MAX_SONGS = 50  # of an artist that the page lists
_SYMBOLS = (
    "circle", "square", "triangle-up", "diamond", "triangle-down",
    "cross", "triangle-left", "x", "triangle-right",
)  # fmt: skip
# 3-D has these as shapes; its others are letters that a font may lack.
_SOLID_SYMBOLS = (
    "circle", "square", "diamond", "circle", "square", "diamond", "circle", "square", "diamond",
)  # fmt: skip
_TRIES = 3
_COLUMNS = ("pca_x", "pca_y", "pca_z", "tsne_x", "tsne_y", "tsne3_x", "tsne3_y", "tsne3_z")


@dataclass(frozen=True)
class Family:
    """How the page shows a family: names of plotly's symbols in 2-D and 3-D, colors on light and
    on dark paper, and how many artists it is the main family of."""

    name: str
    light: str
    dark: str
    symbol: str
    solid: str
    artists: int


def families(frame: pd.DataFrame, max_families: int) -> list[Family]:
    """Those with a color, largest first, then `other` for the rest, where there is one."""
    shown = colors.shown_families(frame["family"], max_families)
    counts = frame["family"].value_counts()
    looks = zip(shown, colors.LIGHT, colors.DARK, _SYMBOLS, _SOLID_SYMBOLS, strict=False)
    found = [Family(*look, int(counts[look[0]])) for look in looks]
    rest = len(frame) - sum(family.artists for family in found)
    other = Family(genres.OTHER, colors.OTHER_LIGHT, colors.OTHER_DARK, "circle", "circle", rest)
    return [*found, other]


def tracks_of(place: Layout) -> dict[str, list[Track]]:
    """Artist -> tracks by title and path; nothing where nothing was ingested."""
    found: dict[str, list[Track]] = defaultdict(list)
    if files.exists(place.tracks_table):
        for track in tables.read_table(place.tracks_table, Track):
            found[track.artist].append(track)
    for mine in found.values():
        mine.sort(key=lambda track: (_title(track).casefold(), track.path, track.tune))
    return dict(found)


def columns(
    frame: pd.DataFrame,
    rows: Sequence[ArtistGenres],
    shown: Sequence[Family],
    tracks: Mapping[str, Sequence[Track]],
) -> dict[str, object]:
    """Everything about the artists but their songs, as short columns in the order of `frame`."""
    found = genres.genres_of_artists(rows)
    merged = [labels.merge(found[artist]) for artist in frame["artist"]]
    names = sorted({genre for mine in merged for genre, _, _ in mine})
    said = sorted({", ".join(who) for mine in merged for _, _, who in mine})
    genre_at = {name: at for at, name in enumerate(names)}
    said_at = {name: at for at, name in enumerate(said)}
    family_at = {family.name: at for at, family in enumerate(shown)}
    return {
        "families": list(shown),
        "genres": names,
        "said": said,
        "names": frame["artist"].tolist(),
        "family": [family_at.get(name, len(shown) - 1) for name in frame["family"]],
        "labels": [
            [n for genre, sure, who in mine
             for n in (genre_at[genre], round(100 * sure), said_at[", ".join(who)])]
            for mine in merged
        ],
        "shares": _shares(projection.family_shares(projection.confidence_matrix(rows)), family_at),
        "tracks": [len(tracks.get(artist, ())) for artist in frame["artist"]],
        "points": {name: frame[name].round(3).tolist() for name in _COLUMNS},
    }  # fmt: skip


def _shares(table: pd.DataFrame, family_at: Mapping[str, int]) -> list[list[int]]:
    """Of each artist: family, percent, family, percent ...; what has no color is the last one's."""
    last = len(family_at) - 1
    sums = np.zeros((len(table), len(family_at)))
    for name in table.columns:
        sums[:, family_at.get(name, last)] += table[name].to_numpy()
    percent = np.rint(sums * 100).astype(int)
    return [
        [n for at in np.flatnonzero(row).tolist() for n in (at, int(row[at]))] for row in percent
    ]


def songs(artists: Iterable[str], tracks: Mapping[str, Sequence[Track]]) -> list[list[object]]:
    """Of each artist up to MAX_SONGS titles: a text, or [text, versions] where there are more."""
    return [_songs(tracks.get(artist, ())) for artist in artists]


def _songs(tracks: Sequence[Track]) -> list[object]:
    counts = Counter(map(_title, tracks))
    return [t if n == 1 else [t, n] for t, n in list(counts.items())[:MAX_SONGS]]


def _title(track: Track) -> str:
    return track.title or track.path


def excerpts(
    place: Layout,
    artists: Sequence[str],
    tracks: Mapping[str, Sequence[Track]],
    seconds: float,
    max_bytes: float,
) -> dict[int, list[str]]:
    """Number of an artist -> [title, packed music], artists with many tracks first.

    Args:
      seconds: so much of a track; 0 is no music at all.
      max_bytes: of packed text, for all.
    """
    order = sorted(range(len(artists)), key=lambda at: (-len(tracks.get(artists[at], ())), at))
    found: dict[int, list[str]] = {}
    left = max_bytes
    for at in order if seconds > 0 else ():
        title, packed = _excerpt(place, tracks.get(artists[at], ()), seconds)
        left -= len(packed)
        if left < 0:
            break
        if packed:
            found[at] = [title, packed]
    return dict(sorted(found.items()))


def _excerpt(place: Layout, tracks: Sequence[Track], seconds: float) -> tuple[str, str]:
    """Of the first track that can be played; copies of other tracks come last."""
    for track in sorted(tracks, key=lambda track: track.duplicate_of != "")[:_TRIES]:
        try:
            packed = music.of_track(place, track, seconds=seconds)
        except (ValueError, OSError):
            continue  # the panel says that there is none
        if packed:
            return _title(track), packed
    return "", ""
