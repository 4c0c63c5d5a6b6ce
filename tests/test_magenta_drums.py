"""The drum encodings against note_seq and against Magenta's records."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from note_seq import drums_encoder_decoder, drums_lib, encoder_decoder, sequences_lib
from note_seq.protobuf import music_pb2

from corpus import readers
from corpus.encodings.magenta_drums import DrumKitEncoding, DrumsEncoding, OneDrumEncoding
from corpus.encodings.piece import Piece, read_piece
from corpus.encodings.results import EncodedExample
from tests.test_quantize import REFUSED, real_files

KIT = drums_encoder_decoder.MultiDrumOneHotEncoding()
ANY = drums_encoder_decoder.MultiDrumOneHotEncoding([[39, *range(39), *range(39, 128)]])
ENCODINGS: dict[str, tuple[DrumsEncoding, Any, Any]] = {
    "one_drum": (
        OneDrumEncoding(), ANY, encoder_decoder.OneHotEventSequenceEncoderDecoder(ANY),
    ),
    "drum_kit": (
        DrumKitEncoding(), KIT,
        encoder_decoder.LookbackEventSequenceEncoderDecoder(
            KIT, lookback_distances=[], binary_counter_bits=6
        ),
    ),
}  # fmt: skip
NAMES = sorted(ENCODINGS)


def piece_of(sequence: Any) -> Piece:
    return read_piece(sequence.SerializeToString())


def test_sizes_are_the_published_ones() -> None:
    sizes = {"one_drum": (2, 2), "drum_kit": (518, 512)}
    for name, (encoding, _, reference) in ENCODINGS.items():
        assert encoding.name == name
        assert (encoding.input_size, encoding.num_classes) == sizes[name]
        assert (reference.input_size, reference.num_classes) == sizes[name]


def magentas_tracks(
    quantized: Any, *, min_bars: float = 7, max_steps: int = 512, gap_bars: float = 1.0
) -> list[drums_lib.DrumTrack]:
    """Magenta 2.1.4's extract_drum_tracks."""
    steps_per_bar = int(sequences_lib.steps_per_bar_in_quantized_sequence(quantized))
    start = 0
    found: list[drums_lib.DrumTrack] = []
    while True:
        track = drums_lib.DrumTrack()
        track.from_quantized_sequence(quantized, search_start_step=start, gap_bars=gap_bars)
        start = track.end_step + -track.end_step % steps_per_bar
        if not len(track):
            return found
        if len(track) >= track.steps_per_bar * min_bars:
            track.set_length(min(len(track), max_steps))
            found.append(track)


def check_score(name: str, sequence: Any) -> int:
    """The tracks are what drums_rnn_create_dataset would encode; returns how many there are."""
    encoding, classes, _ = ENCODINGS[name]
    expected = []
    for part in sequences_lib.split_note_sequence_on_time_changes(sequence):
        try:
            quantized = sequences_lib.quantize_note_sequence(part, encoding.steps_per_quarter)
        except REFUSED:
            continue
        if not sequences_lib.steps_per_bar_in_quantized_sequence(quantized) % 1:
            expected += [
                [classes.encode_event(event) for event in track]
                for track in magentas_tracks(quantized)
            ]
    found = encoding.encode(piece_of(sequence)).examples
    assert [example.events.tolist() for example in found] == expected
    return len(found)


def check_files(count: int) -> int:
    num_tracks = 0
    for path in real_files("clean_midi", count):
        try:
            scores = readers.read_score(path.read_bytes(), path.name, "real")
        except readers.ReadError:
            continue
        for score in scores:
            sequence = score.note_sequence()
            num_tracks += sum(check_score(name, sequence) for name in NAMES)
    return num_tracks


def test_real_scores_give_magentas_tracks() -> None:
    assert check_files(12) > 10


@pytest.mark.slow
def test_many_real_scores_give_magentas_tracks() -> None:
    assert check_files(510) > 800


STROKE = st.tuples(
    st.integers(0, 200), st.sampled_from([36, 38, 42, 39, 51, 0, 127, 88]),
    st.sampled_from([90, 90, 0]), st.sampled_from([True, True, True, False]),
)  # fmt: skip


def score_of(strokes: list[tuple[int, int, int, bool]], meter: tuple[int, int]) -> Any:
    """Strokes of a sixteenth at 120 quarters a minute."""
    sequence = music_pb2.NoteSequence(ticks_per_quarter=220)
    sequence.time_signatures.add(numerator=meter[0], denominator=meter[1])
    for step, pitch, velocity, is_drum in strokes:
        sequence.notes.add(
            start_time=step / 8, end_time=(step + 1) / 8, pitch=pitch, velocity=velocity,
            instrument=9, is_drum=is_drum,
        )  # fmt: skip
    sequence.total_time = max((n.end_time for n in sequence.notes), default=0.0)
    return sequence


@pytest.mark.parametrize("name", NAMES)
@given(
    strokes=st.lists(STROKE, max_size=25),
    meter=st.sampled_from([(4, 4), (3, 4), (6, 8)]),
    gap_bars=st.sampled_from([1.0, 0.5, 2.0, 0.0]),
    max_steps=st.sampled_from([5, 30, 100_000]),
    min_bars=st.sampled_from([0, 1]),
)
@settings(max_examples=150, deadline=None)
def test_tracks_are_those_of_magentas_search(
    name: str,
    strokes: list[tuple[int, int, int, bool]],
    meter: tuple[int, int],
    gap_bars: float,
    max_steps: int,
    min_bars: int,
) -> None:
    encoding, classes, _ = ENCODINGS[name]
    searching = type(encoding)(min_bars=min_bars, max_steps=max_steps, gap_bars=gap_bars)
    sequence = score_of(strokes, meter)
    expected = []
    if sequence.notes:
        quantized = sequences_lib.quantize_note_sequence(sequence, encoding.steps_per_quarter)
        tracks = magentas_tracks(
            quantized, min_bars=min_bars, max_steps=max_steps, gap_bars=gap_bars
        )
        expected = [[classes.encode_event(event) for event in track] for track in tracks]
    found = searching.encode(piece_of(sequence)).examples
    assert [example.events.tolist() for example in found] == expected


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), length=st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_inputs_and_labels_are_note_seqs(name: str, data: st.DataObject, length: int) -> None:
    encoding, classes, reference = ENCODINGS[name]
    event = st.integers(0, encoding.num_events - 1)
    example = EncodedExample(
        np.array(data.draw(st.lists(event, min_size=length, max_size=length)), np.int64)
    )
    track = drums_lib.DrumTrack([classes.decode_event(e) for e in example.events.tolist()])
    inputs, labels = encoding.inputs(example), encoding.labels(example)
    assert inputs.shape == (length, encoding.input_size)
    assert inputs.dtype == np.float32
    for step in range(length):
        assert inputs[step].tolist() == reference.events_to_input(track, step)
        assert labels[step] == reference.events_to_label(track, step)
        assert encoding.label_to_event(int(labels[step]), example.events[:step]) == labels[step]


@pytest.mark.parametrize("name", NAMES)
@given(
    strokes=st.lists(
        st.tuples(
            st.integers(0, 99), st.sampled_from([36, 38, 42, 46, 45, 48, 50, 49, 51]),
            st.just(90), st.just(True),
        ),
        min_size=1, max_size=40,
    ),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_decode_gives_the_strokes_back(
    name: str, strokes: list[tuple[int, int, int, bool]]
) -> None:
    encoding = type(ENCODINGS[name][0])(min_bars=0, gap_bars=100.0)
    sequence = score_of(strokes, (4, 4))
    (example,) = encoding.encode(piece_of(sequence)).examples
    assert 0 <= example.events.min() <= example.events.max() < encoding.num_events
    decoded = encoding.decode(example)
    if name == "drum_kit":
        first = min(step for step, *_ in strokes) // 16 * 2.0
        assert sorted((n.start_time, n.pitch) for n in decoded.notes) == sorted(
            {(n.start_time - first, n.pitch) for n in sequence.notes}
        )
    else:
        steps = sorted({int(n.start_time * 4 + 0.5) for n in sequence.notes})
        begins = steps[0] // 8 * 8
        assert [n.start_time * 4 + begins for n in decoded.notes] == steps
        assert {n.pitch for n in decoded.notes} == {39}
    (again,) = encoding.encode(piece_of(decoded)).examples
    assert again.events.tolist() == example.events.tolist()


def test_what_is_dropped_is_counted() -> None:
    def dropped(sequence: Any) -> dict[str, int]:
        encoded = DrumKitEncoding().encode(piece_of(sequence))
        assert not encoded.examples
        assert set(encoded.dropped) <= set(DrumKitEncoding.reasons)
        return dict(encoded.dropped)

    beat = [(step, 36, 90, True) for step in range(0, 200, 2)]
    assert dropped(score_of(beat[:20], (4, 4))) == {"too_short": 1}
    assert dropped(score_of([(0, 36, 90, False)], (4, 4))) == {"no_drums": 1}
    assert dropped(score_of(beat, (4, 3))) == {"unusable_meter": 1}
    assert dropped(score_of(beat, (1, 32))) == {"unusable_meter": 1}
    damaged = score_of(beat, (4, 4))
    damaged.tempos.add(qpm=1e9)
    assert dropped(damaged) == {"too_long": 1}


def test_examples_tell_where_they_come_from() -> None:
    beat = [(step + 16, 36, 90, True) for step in range(0, 200, 2)]
    (example,) = DrumKitEncoding().encode(piece_of(score_of(beat, (4, 4)))).examples
    assert example.made_by == "drums, 2.0 s to 26.9 s"
    long = [(step, 36, 90, True) for step in range(1000)]
    (example,) = DrumKitEncoding().encode(piece_of(score_of(long, (4, 4)))).examples
    assert Counter(example.events.tolist()) == {1: 512}
