from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from corpus import genres
from corpus.config import GenresConfig
from corpus.overrides import Override, Overrides, load_overrides
from corpus.providers import ProviderSettings, open_provider
from corpus.providers.base import AMBIGUOUS, FOUND, NO_GENRES, NO_MATCH, Answer
from corpus.providers.table import TableProvider
from corpus.sources.music21_corpus import Music21CorpusSource
from tests import makers

ROWS = [
    {"name": "ABBA", "genres": ["europop", "disco"]},
    {"name": "Phil Collins", "genres": ["soft rock"]},
    {"name": "Beatles, The", "genres": ["Rock"]},
    {"name": "Nobody", "genres": []},
    {"name": "Nirvana", "genres": ["grunge"]},
    {"name": "NIRVANA", "genres": ["psychedelic rock"]},
]


def write(tmp_path: Path, kind: str) -> str:
    path = tmp_path / f"table.{kind}"
    if kind == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in ROWS))
    elif kind == "csv":
        flat = [{**row, "genres": ";".join(row["genres"])} for row in ROWS]
        pd.DataFrame(flat).to_csv(path, index=False)
    else:
        pd.DataFrame(ROWS).to_parquet(path)
    return str(path)


def ask(provider: TableProvider, artist: str) -> Answer:
    (answer,) = provider.ask([artist])
    assert answer.artist == artist
    assert all(weight == 1.0 for _, weight in answer.genres)
    return answer


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_answers_are_the_same_from_any_format(tmp_path: Path, kind: str) -> None:
    provider = TableProvider(write(tmp_path, kind))

    def found(artist: str) -> tuple[str, list[str]]:
        answer = ask(provider, artist)
        return answer.status, [genre for genre, _ in answer.genres]

    assert found("Abba") == (FOUND, ["europop", "disco"])
    assert found("Collins Phil") == (FOUND, ["soft rock"])
    assert found("The Beatles") == (FOUND, ["rock"])
    assert found("Nobody") == (NO_GENRES, [])
    assert found("nirvana") == (AMBIGUOUS, [])
    assert found("NIRVANA") == (FOUND, ["psychedelic rock"])
    assert found("Phl Colins") == (NO_MATCH, [])


def test_answers_stand_in_the_order_of_the_artists(tmp_path: Path) -> None:
    artists = ["Nobody", "x", "ABBA", "Nobody"]
    answers = TableProvider(write(tmp_path, "jsonl")).ask(artists)
    assert [answer.artist for answer in answers] == artists


def test_answers_say_what_matched_and_what_was_near(tmp_path: Path) -> None:
    provider = TableProvider(write(tmp_path, "jsonl"))
    exact, swapped, missed = provider.ask(["phil collins", "Collins Phil", "Phl Colins"])
    assert (exact.matched_name, exact.match_score) == ("Phil Collins", 1.0)
    assert swapped.matched_name == "Phil Collins"
    assert 0.95 <= swapped.match_score < 1.0
    assert (missed.matched_name, missed.match_score) == ("", 0.0)
    assert missed.candidates[0].name == "Phil Collins"
    assert 0.85 <= missed.candidates[0].score < 0.95
    twins = ask(provider, "nirvana").candidates
    assert [(each.name, each.score) for each in twins] == [("Nirvana", 1.0), ("NIRVANA", 1.0)]
    assert ask(provider, "Zzyzx").candidates == ()


def test_rows_of_one_artist_are_one_where_their_genres_are(tmp_path: Path) -> None:
    rows = [
        {"name": "Drifters", "genres": ["doo-wop", "soul"], "license": "MIT"},
        {"name": "The Drifters", "genres": ["soul", "doo-wop"], "license": "MIT"},
        {"name": "DRIFTERS", "genres": []},
        {"name": "Prince", "genres": ["funk"]},
        {"name": "Prince", "genres": ["jazz"]},
    ]
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    provider = TableProvider(str(path))
    answer = ask(provider, "The Drifters")
    assert answer.matched_name == "Drifters | The Drifters | DRIFTERS"
    assert [genre for genre, _ in answer.genres] == ["doo-wop", "soul"]
    assert answer.license == "MIT"
    assert ask(provider, "DRIFTERS").status == FOUND
    twins = ask(provider, "Prince")
    assert (twins.status, [each.name for each in twins.candidates]) == (AMBIGUOUS, ["Prince"])


def test_the_content_hash_follows_the_content(tmp_path: Path) -> None:
    path = write(tmp_path, "jsonl")
    before = TableProvider(path).content_hash()
    assert TableProvider(path).content_hash() == before
    with open(path, "a") as file:
        file.write('\n{"name": "New", "genres": ["x"]}')
    assert TableProvider(path).content_hash() != before


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("t.jsonl", '{"artist_name": "x"}', "needs the columns name and genres"),
        ("t.jsonl", '{"genres": ["x"]}', "needs the columns name and genres"),
        ("t.jsonl", '{"name": "", "genres": ["x"]}', "no name in any"),
        ("t.jsonl", "[1]", "line 1"),
        ("t.jsonl", "not json", "line 1"),
        ("t.jsonl", "", "needs the columns"),
        ("t.csv", "a,b\n1,2\n", "it has: a, b"),
        ("t.parquet", "no parquet", "cannot read the genre table"),
        ("t.xlsx", "x", "ends in none of"),
    ],
)
def test_a_bad_table_is_named(tmp_path: Path, name: str, text: str, part: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=part):
        TableProvider(str(tmp_path / name))


def test_a_missing_table_or_provider_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot read the genre table"):
        TableProvider(str(tmp_path / "none.jsonl"))
    with pytest.raises(ValueError, match="GENRE_TABLE=file"):
        TableProvider("")
    with pytest.raises(ValueError, match="unknown provider 'x'; known: table"):
        open_provider("x", ProviderSettings(GenresConfig()))


def test_our_own_table_knows_every_artist_of_the_embedded_corpus() -> None:
    source = Music21CorpusSource()
    provider = TableProvider(source.genre_table)
    artists = {source.artist_and_title(file.path)[0] for file in source.list_files()}
    assert len(artists) > 45
    answers = provider.ask(sorted(artists))
    assert {answer.artist for answer in answers if answer.status != FOUND} == set()
    families = [{genres.family_of(genre) for genre, _ in answer.genres} for answer in answers]
    assert sum(len(each) > 1 for each in families) >= 5


OVERRIDES = """
[artist."Collins Phil"]
name = "Phil Collins"
musicbrainz = "0123abcd-0000-4000-8000-0123456789ab"
wikidata = "Q42"

[artist."The Beatles"]
genres = ["Rock", "rock", "Merseybeat"]

[artist."Ringtones"]
is_artist = false
"""


def overrides_of(tmp_path: Path, text: str) -> Overrides:
    (tmp_path / "o.toml").write_text(text, encoding="utf-8")
    return load_overrides(str(tmp_path / "o.toml"))


def test_overrides_hold_for_every_spelling(tmp_path: Path) -> None:
    overrides = overrides_of(tmp_path, OVERRIDES)
    assert overrides.of("COLLINS PHIL").name == "Phil Collins"
    assert overrides.of("Beatles, The").genres == ("rock", "merseybeat")
    assert overrides.of("beatles").name == "The Beatles"
    assert overrides.of("Ringtones").is_artist is False
    assert overrides.of("ABBA") == Override()
    assert overrides.ids("wikidata") == {"Phil Collins": "Q42"}
    assert overrides.ids("musicbrainz") == {"Phil Collins": "0123abcd-0000-4000-8000-0123456789ab"}
    assert overrides.ids("spotify") == {}
    with pytest.raises(ValueError, match="'x'; known: musicbrainz, spotify, wikidata"):
        overrides.ids("x")


def test_no_overrides_are_no_error(tmp_path: Path) -> None:
    assert load_overrides("") == Overrides() == overrides_of(tmp_path, "")


def test_the_hash_of_overrides_follows_their_content(tmp_path: Path) -> None:
    before = overrides_of(tmp_path, OVERRIDES).content_hash()
    assert overrides_of(tmp_path, "# A remark.\n" + OVERRIDES).content_hash() == before
    assert overrides_of(tmp_path, OVERRIDES.replace("Q42", "Q43")).content_hash() != before


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[artist.A]\ngenre = ['x']", "did you mean genres"),
        ("[artist.A]\nfoo = 1", "unknown key 'foo'; known: name, musicbrainz"),
        ("[artist.A]\ngenres = 'rock'", "a list of texts"),
        ("[artist.A]\ngenres = []", "a list of texts"),
        ("[artist.A]\ngenres = [' ']", "a list of texts"),
        ("[artist.A]\nis_artist = 'no'", "true or false, not 'no'"),
        ("[artist.A]\nis_artist = false\nname = 'B'", "leaves nothing else"),
        ("[artist.A]\nname = ''", "name is a text"),
        ("[artist.A]\nmusicbrainz = 'abc'", "an id of musicbrainz"),
        ("[artist.A]\nspotify = 'https://open.spotify.com/artist/x'", "not an address"),
        ("[artist.A]\nwikidata = 'P136'", "not 'P136'"),
        ("[artist.A]", "settles nothing"),
        ("artist = 3", "sections are"),
        ("[artists.A]\nname = 'B'", "'artists' is unknown"),
        ("[artist.Beatles]\nname='B'\n[artist.'The Beatles']\nname='B'", "of one artist"),
        ("[artist", "not valid TOML"),
    ],
)
def test_bad_overrides_are_named(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        overrides_of(tmp_path, text)


def test_overrides_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot read the overrides"):
        load_overrides(str(tmp_path / "none.toml"))
    (tmp_path / "o.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="cannot read the overrides"):
        load_overrides(str(tmp_path / "o.toml"))


@pytest.mark.skipif(not makers.SHARED.exists(), reason="no shared data beside this checkout")
def test_real_folders_match_and_look_alikes_do_not() -> None:
    provider = TableProvider(str(makers.SHARED / "spotify_artists.jsonl"))
    folders = sorted(path.name for path in (makers.SHARED / "clean_midi").iterdir())
    answers = provider.ask(folders)
    missed = [answer.artist for answer in answers if answer.status in (NO_MATCH, AMBIGUOUS)]
    assert missed == ["Television Theme Songs"]
    # Villa-Lobos, Eric Coates and Adolphe Adam are not Los Lobos, the Coasters and Adamo.
    others = provider.ask(["lobos", "anderson", "coates", "adam", "Robert_Johnson"])
    assert {answer.status for answer in others} == {NO_MATCH}
