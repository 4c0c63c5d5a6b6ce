"""What providers say of artists and tracks -> the genre labels of every track.

A label's confidence is 1 - prod(1 - c), where c is, for each row behind it, how far the provider is
trusted x how well the name matched x the weight that the provider gives the genre. So
providers that agree strengthen a label, and a row can always be shown (see `explain`).

What is said of the very track outranks what is said of its artist: of the artist's genres
only those remain that are of a family that the track's own genres are of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from corpus import genres
from corpus.records import ArtistGenres, GenreLabel, Track, TrackGenres

# How far each provider is trusted, 0..1: a judgment, not a measurement. A table is the user's own
# word; Last.fm's tags are everybody's.
TRUST = {
    "table": 1.0,
    "overrides": 1.0,
    "spotify": 0.9,
    "msd": 0.8,
    "wikidata": 0.8,
    "musicbrainz": 0.8,
    "lastfm": 0.6,
}

_Row = ArtistGenres | TrackGenres
# (genre, confidence, providers) of one artist or track.
_Merged = list[tuple[str, float, list[str]]]


def confidence(rows: Iterable[_Row]) -> float:
    """Confidence of one label, 0..1, from the rows behind it."""
    doubt = 1.0
    for row in rows:
        doubt *= 1.0 - TRUST[row.provider] * row.weight * row.match_score
    return round(1.0 - doubt, 6)


def merge(rows: Iterable[_Row]) -> _Merged:
    """The labels of one artist or one track, by genre."""
    by_genre: dict[str, list[_Row]] = {}
    for row in rows:
        if row.genre:
            by_genre.setdefault(row.genre, []).append(row)
    return [
        (genre, confidence(said), sorted({row.provider for row in said}))
        for genre, said in sorted(by_genre.items())
    ]


def _combine(of_track: _Merged, of_artist: _Merged) -> _Merged:
    if not of_track:
        return of_artist
    families = {genres.family_of(genre) for genre, _, _ in of_track}
    own = {genre for genre, _, _ in of_track}
    agreeing = [
        label
        for label in of_artist
        if label[0] not in own and genres.family_of(label[0]) in families
    ]
    return sorted([*of_track, *agreeing])


def label_tracks(
    tracks: Sequence[Track],
    artist_rows: Sequence[ArtistGenres],
    track_rows: Sequence[TrackGenres] = (),
    *,
    min_confidence: float = 0.0,
) -> dict[str, list[GenreLabel]]:
    """track_id -> its labels, sorted by genre, without a subset yet.

    Args:
      tracks: all of them; each gets an entry.
      artist_rows: what is said of artists.
      track_rows: what is said of tracks.
      min_confidence: labels below are left out.
    """
    of_artists = {
        artist: merge(rows) for artist, rows in genres.genres_of_artists(artist_rows).items()
    }
    by_track: dict[str, list[TrackGenres]] = {}
    for row in track_rows:
        by_track.setdefault(row.track_id, []).append(row)
    of_tracks: Mapping[str, _Merged] = {track: merge(rows) for track, rows in by_track.items()}
    labels = {}
    for track in tracks:
        merged = _combine(of_tracks.get(track.track_id, []), of_artists.get(track.artist, []))
        labels[track.track_id] = [
            GenreLabel(track.track_id, genre, genres.family_of(genre), sure, who, "", "")
            for genre, sure, who in merged
            if sure >= min_confidence
        ]
    return labels
