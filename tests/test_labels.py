"""Merging what providers say; agreement between them."""

from __future__ import annotations

import pytest

from corpus import agreement, labels
from corpus.records import ArtistGenres, Track, TrackGenres
from tests.test_splits import track


def said(
    provider: str, genre: str, weight: float = 1.0, score: float = 1.0, artist: str = "A"
) -> ArtistGenres:
    status = "found" if genre else "no_genres"
    return ArtistGenres(artist, provider, "", artist, score, genre, weight, "", status, "")


def of_track(one: Track, genre: str, score: float = 1.0) -> TrackGenres:
    return TrackGenres(one.track_id, "msd", "TR", score, genre, 1.0, "", "")


def test_confidence_grows_with_agreement() -> None:
    assert labels.confidence([said("table", "rock")]) == 1.0
    assert labels.confidence([said("wikidata", "rock")]) == 0.8
    assert labels.confidence([said("wikidata", "rock", 0.5, 0.9)]) == pytest.approx(0.36)
    both = [said("wikidata", "rock"), said("lastfm", "rock", 0.5)]
    assert labels.confidence(both) == pytest.approx(1 - 0.2 * 0.7)
    assert labels.confidence([]) == 0.0


def test_a_track_has_the_genres_of_its_artist_by_confidence() -> None:
    song = track("A", "Song")
    rows = [said("wikidata", "rock"), said("lastfm", "rock", 0.5), said("lastfm", "pop", 0.2)]
    (rock, pop) = sorted(
        labels.label_tracks([song], rows)[song.track_id], key=lambda label: -label.confidence
    )
    assert (rock.genre, rock.family, rock.providers) == ("rock", "rock", ["lastfm", "wikidata"])
    assert pop.confidence == pytest.approx(0.12)
    sure = labels.label_tracks([song], rows, min_confidence=0.5)[song.track_id]
    assert [label.genre for label in sure] == ["rock"]
    assert labels.label_tracks([track("B", "x")], rows) == {track("B", "x").track_id: []}


def test_what_is_said_of_the_track_outranks_what_is_said_of_its_artist() -> None:
    song, other = track("A", "Song"), track("A", "Other")
    rows = [said("table", "thrash metal"), said("table", "country"), said("table", "metal")]
    found = labels.label_tracks([song, other], rows, [of_track(song, "metal", 0.5)])
    assert [(x.genre, x.providers) for x in found[song.track_id]] == [
        ("metal", ["msd"]),
        ("thrash metal", ["table"]),
    ]
    assert [x.genre for x in found[other.track_id]] == ["country", "metal", "thrash metal"]


def test_kappa_of_known_tables() -> None:
    assert agreement.kappa(20, 5, 10, 15) == pytest.approx(0.4)
    assert agreement.kappa(10, 0, 0, 10) == 1.0
    assert agreement.kappa(0, 10, 10, 0) == -1.0
    assert agreement.kappa(7, 0, 0, 0) == 1.0
    with pytest.raises(ValueError, match="no artist"):
        agreement.kappa(0, 0, 0, 0)


def test_agreement_needs_artists_in_common() -> None:
    rows = []
    for number in range(agreement.MIN_ARTISTS):
        artist, genre = f"Artist {number}", "metal" if number % 2 else "jazz"
        rows += [said("table", genre, artist=artist), said("wikidata", genre, artist=artist)]
        rows.append(said("lastfm", "jazz", artist=artist))
    found = agreement.agreement(rows)
    assert found["table, wikidata"] == {"jazz": 1.0, "metal": 1.0}
    assert found["lastfm, table"]["metal"] == 0.0
    assert agreement.agreement(rows[:-3]) == {}
