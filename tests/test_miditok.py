"""MidiTok's tokens against MidiTok itself: its tokenizer on a MIDI file of the same notes."""

from __future__ import annotations

import dataclasses
import itertools
import pickle
from collections import Counter
from typing import Any

import numpy as np
import pytest
from note_seq.protobuf import music_pb2

from corpus import readers
from corpus.encodings import EncodedExample, to_midi
from corpus.encodings.miditok_tokens import TOKENIZERS, MiditokEncoding
from corpus.encodings.piece import Piece, read_piece
from corpus.encodings.symusic_score import TICKS_PER_QUARTER, to_score
from tests.miditok_songs import (
    POOLED,
    QUARTER,
    SIXTEENTH,
    band,
    encoding_of,
    ids_of,
    miditoks_ids,
    piece_of,
    signature,
    song_of,
    track_of,
    tune,
)
from tests.test_quantize import real_files

miditok = pytest.importorskip("miditok")
symusic = pytest.importorskip("symusic")


def test_these_are_miditoks_tokenizers() -> None:
    made = [getattr(miditok, name) for name in miditok.__all__]
    kinds = {kind.__name__ for kind in made if isinstance(kind, type)
             and issubclass(kind, miditok.MusicTokenizer)}  # fmt: skip
    assert kinds - {"MusicTokenizer"} == set(TOKENIZERS)


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_ids_are_miditoks(kind: str) -> None:
    encoding, song = encoding_of(kind, max_steps=0), band()
    assert ids_of(encoding, piece_of(song)) == miditoks_ids(encoding, song)


@pytest.mark.parametrize("kind", ["REMI", "TSD", "MIDILike"])
def test_pedals_and_controls_are_miditoks(kind: str) -> None:
    song = band()
    changes = [(0, 90), (400, 64), (900, 63), (901, 0), (3000, 127), (4000, 20), (6000, 100)]
    times, values = np.array(changes, np.int32).T
    numbers = np.full(len(changes), 64, np.uint8)
    controls = symusic.ControlChange.from_numpy(
        np.ascontiguousarray(times), numbers, values.astype(np.uint8)
    )
    song.tracks[1].controls = controls
    for settings in ({"use_sustain_pedals": True}, {"use_control_changes": True}):
        encoding = encoding_of(kind, max_steps=0, **settings)
        ids = ids_of(encoding, piece_of(song))
        assert ids == miditoks_ids(encoding, song)
        assert ids != ids_of(encoding, piece_of(band()))


def test_tracks_apart_are_an_example_each() -> None:
    encoding, song = encoding_of("TSD", max_steps=0, use_programs=False), band()
    examples = encoding.encode(piece_of(song)).examples
    assert [example.events.tolist() for example in examples] == miditoks_ids(encoding, song)
    assert {example.made_by.split(", ")[1] for example in examples} == {
        "drums", "program 0", "program 33", "program 40",
    }  # fmt: skip
    notes = sum(len(encoding.decode(example).notes) for example in examples)
    assert notes == song.note_num()


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_notes_come_back(kind: str) -> None:
    encoding = encoding_of(kind, max_steps=0)
    song = song_of(
        track_of(tune(), 40), track_of(tune(base=40, seed=2), 33),
        track_of([(beat * QUARTER, SIXTEENTH, 38, 100) for beat in range(32)], is_drum=True),
    )  # fmt: skip
    (example,) = encoding.encode(piece_of(song)).examples
    sequence = encoding.decode(example, 90.0)
    (tempo,) = sequence.tempos
    assert tempo.qpm == pytest.approx(90.0 if kind == "Structured" else 120.0, abs=4.0)

    def in_sixteenths(seconds: float) -> int:
        steps = float(seconds * tempo.qpm / 60.0 * 4)
        assert steps == pytest.approx(round(steps), abs=1e-4)
        return round(steps)

    found = Counter(
        (in_sixteenths(note.start_time), in_sixteenths(note.end_time), note.pitch,
         note.is_drum or note.program)
        for note in sequence.notes
    )  # fmt: skip
    assert found == Counter(
        (note.time // SIXTEENTH, note.end // SIXTEENTH, note.pitch, track.is_drum or track.program)
        for track in song.tracks
        for note in track.notes
    )
    assert {abs(note.velocity - (100 if note.is_drum else 80)) < 3 for note in sequence.notes} == {
        True
    }
    assert sequence.total_time == max(note.end_time for note in sequence.notes)


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_long_pieces_are_cut_where_bars_begin(kind: str) -> None:
    piece = piece_of(band(bars=12))
    (whole,) = encoding_of(kind, max_steps=0).encode(piece).examples
    most = len(whole.events) // 4
    encoding = encoding_of(kind, max_steps=most)
    parts = encoding.encode(piece).examples
    assert len(parts) > 3
    assert max(len(part.events) for part in parts) <= most
    assert np.array_equal(np.concatenate([part.events for part in parts]), whole.events)
    first = len(parts[0].events) - 1
    assert parts[0].made_by == f"tokens 0 to {first} of {len(whole.events)}"
    words = [encoding.tokens(part) for part in parts]
    if kind in ("REMI", "CPWord", "MuMIDI", "MMM", "PerTok", "BEAT"):
        assert all("Bar_None" in part[0].split("/") for part in words[1:])
    if kind == "Octuple":
        bars = [[word.split("/")[2] for word in part] for part in words]
        assert all(one[-1] != next_[0] for one, next_ in itertools.pairwise(bars))


def test_a_bar_that_is_too_long_is_cut_in_the_middle() -> None:
    crowd = [(0, QUARTER, pitch, 80) for pitch in range(20, 100)]
    encoding = encoding_of("TSD", max_steps=50)
    lengths = [len(ids) for ids in ids_of(encoding, piece_of(song_of(track_of(crowd))))]
    assert lengths[:-1] == [50] * (len(lengths) - 1)
    assert sum(lengths) == 2 + 4 * len(crowd)


@pytest.mark.parametrize("kind", ["Octuple", "MuMIDI"])
def test_no_bar_is_lost_where_bars_have_numbers(kind: str) -> None:
    """MidiTok leaves out what lies behind the last number; here another window begins."""
    song = song_of(track_of(tune(40)), track_of([(0, QUARTER, 40, 80), *tune(90)[-20:]], 33))
    encoding = encoding_of(kind, max_steps=0, max_bar_embedding=32)
    examples = encoding.encode(piece_of(song)).examples
    assert [example.made_by.split(", ")[0] for example in examples] == [
        "bars 0 to 31", "bars 32 to 63", "bars 64 to 89",
    ]  # fmt: skip
    with pytest.warns(UserWarning, match="cannot tokenize entirely"):
        expected = miditoks_ids(encoding, song)
    assert [examples[0].events.tolist()] == expected
    notes = [len(encoding.decode(example).notes) for example in examples]
    assert sum(notes) == song.note_num()
    gap = song_of(track_of([(0, QUARTER, 60, 80), (90 * 4 * QUARTER, QUARTER, 62, 80)]))
    encoded = encoding.encode(piece_of(gap))
    assert len(encoded.examples) == 2
    assert encoded.dropped == {"silent": 1}


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_contract(kind: str) -> None:
    encoding = encoding_of(kind, max_steps=200)
    assert encoding.name == f"miditok_{kind.lower()}"
    assert isinstance(encoding.num_events, tuple) == (kind in POOLED)
    example = encoding.encode(piece_of(band())).examples[0]
    ids = example.events.reshape(len(example.events), -1)
    assert ids.dtype == np.int64
    assert (ids >= 0).all()
    assert (ids < np.array(encoding.num_events)).all()
    inputs = encoding.inputs(example)
    assert inputs.shape == (len(ids), encoding.input_size)
    assert inputs.dtype == np.float32
    sizes = encoding.num_events if isinstance(encoding.num_events, tuple) else (inputs.shape[1],)
    columns = np.split(inputs, np.cumsum(sizes)[:-1], axis=1)
    assert np.array_equal(np.stack([column.argmax(1) for column in columns], 1), ids)
    assert (inputs.sum(1) == len(sizes)).all()
    assert np.array_equal(encoding.labels(example), example.events)
    assert to_midi(encoding.decode(example)).startswith(b"MThd")
    again = pickle.loads(pickle.dumps(encoding))  # as a stage is sent to its workers
    assert np.array_equal(again.encode(piece_of(band())).examples[0].events, example.events)


def test_words() -> None:
    song = song_of(track_of([(0, QUARTER, 60, 80)], 40))
    example = encoding_of("TSD").encode(piece_of(song)).examples[0]
    assert encoding_of("TSD").tokens(example) == [
        "TimeSig_4/4", "Tempo_121.29", "Program_40", "Pitch_60", "Velocity_79", "Duration_1.0.8",
    ]  # fmt: skip
    example = encoding_of("CPWord").encode(piece_of(song)).examples[0]
    assert encoding_of("CPWord").tokens(example)[-1] == (
        "Family_Note/Pitch_60/Velocity_79/Duration_1.0.8/Program_40"
    )


def dropped_of(piece: Piece, kind: str = "REMI", **settings: Any) -> dict[str, int]:
    encoded = encoding_of(kind, **settings).encode(piece)
    assert not encoded.examples
    assert set(encoded.dropped) <= set(MiditokEncoding.reasons)
    return dict(encoded.dropped)


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_why_nothing_comes_of_a_piece(kind: str) -> None:
    empty = read_piece(music_pb2.NoteSequence().SerializeToString())
    assert dropped_of(empty, kind) == {"no_notes": 1}
    piece = piece_of(song_of(track_of([(0, QUARTER, 60, 80)])))
    assert dropped_of(dataclasses.replace(piece, start=np.array([-1.0])), kind) == {
        "unusable_meter": 1
    }
    assert dropped_of(dataclasses.replace(piece, end=np.array([1e300])), kind) == {"too_long": 1}
    assert dropped_of(dataclasses.replace(piece, tempo_qpms=np.array([0.0])), kind) == {
        "unusable_meter": 1
    }
    assert dropped_of(piece, kind, pitch_range=(70, 90)) == {"out_of_range": 1}
    bad: tuple[dict[str, Any], ...] = ({"pitch": 200}, {"velocity": 0}, {"program": 128})
    for numbers in bad:
        arrays = {field: np.array([value], np.int32) for field, value in numbers.items()}
        damaged: Any = dataclasses.replace(piece, **arrays)  # type: ignore[arg-type]
        assert dropped_of(damaged, kind) == {"no_notes": 1, "unusable_notes": 1}


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_damaged_numbers_do_no_harm(kind: str) -> None:
    piece = piece_of(band())
    damaged = dataclasses.replace(
        piece,
        tempo_times=np.array([0.0, 1.0, 1e200]), tempo_qpms=np.array([1e-9, 1e9, 1.0]),
        meter_times=np.array([-1.0, 0.0, 1.0, 2.0, 1e300]),
        numerators=np.array([0, 4, 300, 3, 4], np.int32),
        denominators=np.array([4, 3, 4, 1 << 30, 4], np.int32),
        control_times=np.array([-1.0, 1e300]), control_numbers=np.array([64, 300], np.int32),
        control_values=np.array([-1, 64], np.int32), control_instruments=np.zeros(2, np.int32),
        end=piece.start - 1.0,
    )  # fmt: skip
    slow = dataclasses.replace(damaged, tempo_qpms=np.array([120.0, 60.0, 120.0]))
    for one in (damaged, slow):
        for example in encoding_of(kind).encode(one).examples:
            assert to_midi(encoding_of(kind).decode(example)).startswith(b"MThd")
    assert encoding_of(kind).encode(slow).examples


def test_a_meter_without_a_token_is_counted() -> None:
    song = song_of(track_of(tune()), meter=(11, 16))
    encoded = encoding_of("REMI").encode(piece_of(song))
    assert encoded.dropped == {"meter_not_in_vocabulary": 1}
    assert "TimeSig_4/4" in encoding_of("REMI").tokens(encoded.examples[0])


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_sampled_tokens_give_notes_or_an_error_of_ours(kind: str) -> None:
    encoding, chance = encoding_of(kind), np.random.default_rng(0)
    sizes, refused = encoding.num_events, 0
    for length in range(0, 120, 8):
        shape = (length, len(sizes)) if isinstance(sizes, tuple) else (length,)
        example = EncodedExample(chance.integers(0, sizes, shape).astype(np.int64))
        assert len(encoding.tokens(example)) == length
        try:
            sequence = encoding.decode(example)
        except ValueError:
            refused += 1
            continue
        assert to_midi(sequence).startswith(b"MThd")
    assert not refused or kind in POOLED
    with pytest.raises(ValueError, match="tempo of 0"):
        encoding_of("Structured").decode(EncodedExample(np.zeros(0, np.int64)), 0.0)


def test_real_files_give_miditoks_ids() -> None:
    """Where both readers end notes alike: ours ends all of a pitch at one note off, as note_seq."""
    encodings = [encoding_of(kind, max_steps=0) for kind in ("REMI", "TSD", "MIDILike", "CPWord")]
    compared = 0
    small = sorted(real_files("clean_midi", 60), key=lambda path: path.stat().st_size)[:10]
    for path in small:
        try:
            song = symusic.Score.from_midi(path.read_bytes())
            (score,) = readers.read_score(path.read_bytes(), "a.mid", "real")
        except (RuntimeError, readers.ReadError):
            continue
        ours = to_score(read_piece(score.payload), Counter())
        factor = TICKS_PER_QUARTER // song.ticks_per_quarter
        tracks: dict[Any, list[Any]] = {}
        for track in song.tracks:
            track.notes.sort()
            if len(track.notes):
                tracks.setdefault(signature(track, factor), []).append(track)
        wanted = Counter(signature(track) for track in ours.tracks)
        if wanted != {key: len(found) for key, found in tracks.items()}:
            continue
        song.tracks = [tracks[signature(track)].pop() for track in ours.tracks]
        for encoding in encodings:
            (ids,) = ids_of(encoding, read_piece(score.payload))
            assert ids == encoding._to_array(encoding.tokenizer.encode(song).ids).tolist()
        compared += 1
    assert compared >= 2
