"""Songs for MidiTok's tokenizers, and what MidiTok itself makes of them."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from corpus import readers
from corpus.encodings.miditok_tokens import MiditokEncoding
from corpus.encodings.piece import Piece, read_piece
from corpus.encodings.symusic_score import TICKS_PER_QUARTER, to_score

miditok = pytest.importorskip("miditok")
symusic = pytest.importorskip("symusic")

POOLED = ("CPWord", "Octuple", "MuMIDI")
TPQ = 480
QUARTER, SIXTEENTH = TPQ, TPQ // 4

Note = tuple[int, int, int, int]  # tick, ticks, pitch, velocity


def track_of(notes: list[Note], program: int = 0, *, is_drum: bool = False) -> Any:
    track: Any = symusic.Track(name="", program=program, is_drum=is_drum)
    columns = np.array(sorted(notes), np.int32).reshape(-1, 4).T
    track.notes = symusic.Note.from_numpy(
        *np.ascontiguousarray(columns[:2]), *np.ascontiguousarray(columns[2:]).astype(np.int8)
    )
    track.notes.sort()
    return track


def song_of(*tracks: Any, qpm: float = 120.0, meter: tuple[int, int] = (4, 4)) -> Any:
    song: Any = symusic.Score(TPQ)
    song.tempos.append(symusic.Tempo(0, qpm))
    song.time_signatures.append(symusic.TimeSignature(0, *meter))
    song.tracks.extend(tracks)
    return song


def tune(bars: int = 8, *, base: int = 60, seed: int = 1, velocity: int = 80) -> list[Note]:
    """A walk in sixteenths to halves that never overlaps itself."""
    chance, at, notes = random.Random(seed), 0, []
    while at < bars * 4 * QUARTER:
        length = chance.choice([1, 2, 2, 4, 8]) * SIXTEENTH
        notes.append((at, length, base + chance.randrange(12), velocity))
        at += length + chance.choice([0, 0, SIXTEENTH])
    return notes


def band(bars: int = 8) -> Any:
    """Three instruments and drums; the tempo and the meter change on the way."""
    drums = [(beat * QUARTER, SIXTEENTH, 36 + 2 * (beat % 2), 100) for beat in range(4 * bars)]
    chords = [
        (2 * beat * QUARTER, length * QUARTER, pitch, 71)
        for beat in range(2 * bars)
        for pitch, length in ((48, 2), (52, 1), (55, 2))
    ]
    song = song_of(
        track_of(tune(bars, base=72), 40),
        track_of(chords, 0),
        track_of(tune(bars, base=36, seed=2), 33),
        track_of(drums, is_drum=True),
        qpm=97.0,
    )
    song.tempos.append(symusic.Tempo(8 * QUARTER + SIXTEENTH, 140.0))
    song.time_signatures.append(symusic.TimeSignature(16 * QUARTER, 3, 4))
    return song


def piece_of(song: Any) -> Piece:
    """What our reader makes of a song's MIDI file."""
    (score,) = readers.read_score(song.dumps_midi(), "a.mid", "t")
    assert not score.reason
    return read_piece(score.payload)


def encoding_of(kind: str, **settings: Any) -> MiditokEncoding:
    return MiditokEncoding(kind, **settings)


def miditoks_ids(encoding: MiditokEncoding, song: Any) -> list[Any]:
    """MidiTok's ids of a song's MIDI file: rows of MuMIDI of equal length, as ours are.

    Tracks come in the order of ours, which is that of the reader's instruments; notes that begin
    together come as symusic sorts them, and not as a file happens to have them.
    """
    read = symusic.Score.from_midi(song.dumps_midi())
    for track in read.tracks:
        track.notes.sort()
    ours = to_score(piece_of(song), Counter())
    assert {signature(track) for track in ours.tracks} == {
        signature(track, TICKS_PER_QUARTER // TPQ) for track in read.tracks
    }
    tracks = {signature(track, TICKS_PER_QUARTER // TPQ): track for track in read.tracks}
    read.tracks = [tracks[signature(track)] for track in ours.tracks]
    encoded = encoding.tokenizer.encode(read)
    sequences = encoded if isinstance(encoded, list) else [encoded]
    return [encoding._to_array(sequence.ids).tolist() for sequence in sequences]


def signature(track: Any, factor: int = 1) -> tuple[Any, ...]:
    notes = [(n.time * factor, n.duration * factor, n.pitch, n.velocity) for n in track.notes]
    return (track.is_drum or track.program, *sorted(notes))


def ids_of(encoding: MiditokEncoding, piece: Piece) -> list[Any]:
    return [example.events.tolist() for example in encoding.encode(piece).examples]
