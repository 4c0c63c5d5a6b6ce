"""MIDI files of synthetic songs that are as long as those of clean_midi, some 4,000 notes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks import synthetic

_VERSES = 6
_NUM_PLAYERS, _DRUMS = 4, 3
_TICKS_PER_QUARTER = 480
_TICKS_PER_SECOND = 2 * _TICKS_PER_QUARTER  # at 120 quarters a minute


def make_song(index: int) -> bytes:
    """The MIDI file of a song: scores of `synthetic`, one after the other."""
    import symusic

    verses = [synthetic.make_score(np.random.default_rng([index, v])) for v in range(_VERSES)]
    begins = np.cumsum([0.0, *(verse.total_time for verse in verses)])
    song: Any = symusic.Score(_TICKS_PER_QUARTER)
    song.tempos.append(symusic.Tempo(0, 120.0))
    for player in range(_NUM_PLAYERS):
        track: Any = symusic.Track(program=8 * player, is_drum=player == _DRUMS)
        for begin, verse in zip(begins.tolist(), verses, strict=False):
            mine = verse.instrument == player
            ticks = np.rint((begin + verse.start[mine]) * _TICKS_PER_SECOND).astype(np.int32)
            lengths = np.rint((verse.end - verse.start)[mine] * _TICKS_PER_SECOND)
            track.notes.extend(
                symusic.Note.from_numpy(
                    ticks,
                    lengths.astype(np.int32),
                    verse.pitch[mine].astype(np.int8),
                    verse.velocity[mine].astype(np.int8),
                )
            )
        song.tracks.append(track)
    return bytes(song.dumps_midi())


def make_songs(count: int) -> Iterator[bytes]:
    """So many songs, each another."""
    return map(make_song, range(count))
