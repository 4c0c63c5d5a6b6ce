"""Real music, where a checkout has it beside it; skipped, and said so, where not."""

from __future__ import annotations

import pytest

from corpus import genres
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
    statuses = {artist: provider.lookup(artist)[0].status for artist in artists}
    matched = [a for a, s in statuses.items() if s in (genres.FOUND, "no_genres")]
    assert len(matched) >= 0.97 * len(artists)
    assert statuses["Marley Bob"] == genres.FOUND
