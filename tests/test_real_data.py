"""Real music, where a checkout has it beside it; skipped, and said so, where not."""

from __future__ import annotations

import random

import pytest
from note_seq import midi_io
from note_seq.protobuf import music_pb2

from corpus import genres, readers
from corpus.providers.table import TableProvider
from corpus.readers.guard import GuardedReader
from corpus.sources.folder import FolderSource
from tests import makers

pytestmark = pytest.mark.skipif(
    not makers.SHARED.exists(), reason="no shared data beside this checkout"
)


def test_lakh_files_are_what_note_seq_makes_of_them() -> None:
    source = FolderSource(str(makers.SHARED / "clean_midi"))
    listed = source.list_files()
    assert len(listed) == 1389
    chosen = random.Random(0).sample(listed, 25)
    with GuardedReader(max_memory_mb=640, max_seconds=60) as reader:
        for file in chosen:
            with open(file.url, "rb") as stream:
                data = stream.read()
            (result,) = reader.read(data, file.path, source.name)
            try:
                expected = midi_io.midi_to_note_sequence(data)
            except midi_io.MIDIConversionError:
                assert result.reason
                continue
            got = music_pb2.NoteSequence.FromString(result.payload)
            for name in ("id", "filename", "collection_name"):
                got.ClearField(name)
            assert got == expected, file.path


def test_lead_sheets_with_a_broken_container_are_read() -> None:
    paths = sorted((makers.SHARED / "leadsheets").rglob("*.mxl"))
    read = [readers.read_score(p.read_bytes(), p.name, "leadsheets")[0] for p in paths]
    assert len(paths) == 377
    assert sum(score.sequence is not None for score in read) >= 370
    assert all(score.reason == "" or score.detail for score in read)


def test_nearly_every_lakh_artist_is_in_the_spotify_table() -> None:
    source = FolderSource(str(makers.SHARED / "clean_midi"))
    provider = TableProvider(str(makers.SHARED / "spotify_artists.jsonl"))
    artists = {source.artist_and_title(file.path)[0] for file in source.list_files()}
    statuses = {artist: provider.lookup(artist)[0].status for artist in artists}
    matched = [a for a, s in statuses.items() if s in (genres.FOUND, "no_genres")]
    assert len(matched) >= 0.97 * len(artists)
    assert statuses["Marley Bob"] == genres.FOUND
