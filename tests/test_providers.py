from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from corpus import genres
from corpus.providers import open_provider
from corpus.providers.table import TableProvider
from corpus.sources.music21_corpus import Music21CorpusSource

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


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_lookups_are_the_same_from_any_format(tmp_path: Path, kind: str) -> None:
    provider = TableProvider(write(tmp_path, kind))

    def found(artist: str) -> tuple[str, list[str]]:
        rows = provider.lookup(artist)
        assert len({row.status for row in rows}) == 1
        return rows[0].status, [row.genre for row in rows]

    assert found("Abba") == (genres.FOUND, ["europop", "disco"])
    assert found("Collins Phil") == (genres.FOUND, ["soft rock"])
    assert found("The Beatles") == (genres.FOUND, ["rock"])
    assert found("Nobody") == ("no_genres", [""])
    assert found("nirvana") == ("ambiguous", [""])
    assert found("NIRVANA") == (genres.FOUND, ["psychedelic rock"])
    assert found("Phil Collin") == ("no_match", [""])
    assert "Phil Collins" in provider.nearest("Phil Collin")
    assert provider.lookup("Collins Phil")[0].match_score < 1.0


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
        open_provider("x", "")


def test_our_own_table_knows_every_artist_of_the_embedded_corpus() -> None:
    source = Music21CorpusSource()
    provider = TableProvider(source.genre_table)
    artists = {source.artist_and_title(file.path)[0] for file in source.list_files()}
    assert len(artists) > 45
    assert {a for a in artists if provider.lookup(a)[0].status != genres.FOUND} == set()
    crossovers = [
        a for a in artists if len({genres.family_of(r.genre) for r in provider.lookup(a)}) > 1
    ]
    assert len(crossovers) >= 5
