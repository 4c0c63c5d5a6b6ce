"""Real music, where a checkout has it beside it; skipped, and said so, where not."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest

from corpus.providers.base import FOUND, NO_GENRES
from corpus.providers.table import TableProvider
from corpus.sources.folder import FolderSource
from tests import makers

pytestmark = pytest.mark.skipif(
    not makers.SHARED.exists(), reason="no shared data beside this checkout"
)


def test_nearly_every_lakh_artist_is_in_the_spotify_table() -> None:
    source = FolderSource(str(makers.SHARED / "clean_midi"))
    provider = TableProvider(str(makers.SHARED / "spotify_artists.jsonl"))
    artists = {source.artist_and_title(file.path)[0] for file in source.list_files()}
    answers = {answer.artist: answer for answer in provider.ask(sorted(artists))}
    matched = [a for a, answer in answers.items() if answer.status in (FOUND, NO_GENRES)]
    assert len(matched) >= 0.97 * len(artists)
    assert answers["Marley Bob"].status == FOUND
    assert "Television Theme Songs" not in matched


def test_counts_of_genres_are_those_that_pandas_counts_in_the_table() -> None:
    path = makers.SHARED / "spotify_artists.jsonl"
    table = pd.read_json(path, lines=True).drop_duplicates("name")
    answers = TableProvider(str(path)).ask(list(table.name))
    answers = [answer for answer in answers if answer.matched_name == answer.artist]
    assert len(answers) > 0.97 * len(table)
    ours = Counter(genre for answer in answers for genre, _ in answer.genres)
    mine = table[table.name.isin({answer.artist for answer in answers})]
    theirs = mine.explode("genres").genres.dropna().value_counts()
    assert dict(ours) == theirs.to_dict()
