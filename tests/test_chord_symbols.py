"""Chord symbols and inferred chords against note_seq's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from note_seq import chord_inference as reference
from note_seq import chord_symbols_lib as lib
from note_seq import chords_encoder_decoder, sequences_lib
from note_seq.protobuf import music_pb2

from corpus import readers
from corpus.encodings import chord_inference
from corpus.encodings.chord_inference import (
    ChordInferenceError,
    infer_chords,
    infer_chords_by_parts,
)
from corpus.encodings.chord_symbols import (
    NO_CHORD,
    NUM_TRIADS,
    UnknownChordError,
    chord_name,
    chord_symbol,
    triad_name,
)
from corpus.encodings.piece import Piece, read_piece
from corpus.encodings.quantize import UnusableMeterError, quantize, split_on_time_changes
from tests import makers

ROOTS = st.tuples(st.sampled_from("ABCDEFG"), st.sampled_from(["", "#", "b", "##", "bb"])).map(
    "".join
)
KINDS = st.sampled_from(
    ["", "m", "-", "+", "o", "dim7", "7", "maj7", "m7b5", "/o7", "-(maj7)", "6/9", "sus", "5", "13"]
)
DEGREES = st.lists(
    st.tuples(
        st.sampled_from(["(", ""]),
        st.sampled_from(["add", "add#", "addb", "no", "#", "b"]),
        st.integers(0, 14).map(str),
        st.sampled_from([")", ""]),
    ).map("".join),
    max_size=3,
).map("".join)
BASSES = st.one_of(st.just(""), ROOTS.map(lambda root: "/" + root))
FIGURES = st.tuples(ROOTS, KINDS, DEGREES, BASSES).map("".join)


@given(st.one_of(FIGURES, FIGURES, st.text(max_size=8)))
@settings(max_examples=300, deadline=None)
def test_figures_are_read_as_note_seq_reads_them(figure: str) -> None:
    try:
        root, bass = lib.chord_symbol_root(figure), lib.chord_symbol_bass(figure)
    except lib.ChordSymbolError:
        with pytest.raises(UnknownChordError, match="no chord symbol"):
            chord_symbol(figure)
        return
    symbol = chord_symbol(figure)
    assert (symbol.root, symbol.bass) == (root, bass)
    try:
        assert symbol.quality == lib.chord_symbol_quality(figure)
        assert list(symbol.pitch_classes or ()) == lib.chord_symbol_pitches(figure)
    except lib.ChordSymbolError:
        assert (symbol.quality, symbol.pitch_classes) == (None, None)
        assert (symbol.triad, symbol.pitch_mask) == (None, None)


@given(FIGURES, st.integers(-6, 5))
@settings(max_examples=150, deadline=None)
def test_moving_a_chord_is_arithmetic(figure: str, semitones: int) -> None:
    try:
        symbol = chord_symbol(figure)
    except UnknownChordError:
        reject()
    moved = lib.transpose_chord_symbol(figure, semitones % 12)
    assert lib.chord_symbol_root(moved) == (symbol.root + semitones) % 12
    assert lib.chord_symbol_bass(moved) == (symbol.bass + semitones) % 12
    if symbol.pitch_classes is not None:
        pitches = [(pitch + semitones) % 12 for pitch in symbol.pitch_classes]
        assert lib.chord_symbol_pitches(moved) == pitches
        assert lib.chord_symbol_quality(moved) == symbol.quality


def test_triads_are_counted_as_note_seq_counts_them() -> None:
    encoding = chords_encoder_decoder.TriadChordOneHotEncoding()
    assert encoding.num_classes == NUM_TRIADS
    for triad in range(NUM_TRIADS):
        figure = triad_name(triad)
        assert figure == encoding.decode_event(triad)
        assert encoding.encode_event(figure) == triad
        assert (0 if figure == NO_CHORD else chord_symbol(figure).triad) == triad
    assert chord_symbol("Csus4").triad is None
    for wrong in (-1, NUM_TRIADS):
        with pytest.raises(ValueError, match=str(wrong)):
            triad_name(wrong)


@given(st.integers(0, 11), st.integers(0, 4095), st.integers(0, 11))
@settings(max_examples=300, deadline=None)
def test_every_chord_has_a_name(root: int, pitch_mask: int, bass: int) -> None:
    symbol = chord_symbol(chord_name(root, pitch_mask, bass))
    assert (symbol.root, symbol.pitch_mask, symbol.bass) == (root, pitch_mask, bass)


def test_usual_chords_have_usual_names() -> None:
    for figure in ("C", "F#m", "Bb7", "Am7/G", "Ebmaj7", "Bm7b5", "Gsus", "D6/9", "A5"):
        symbol = chord_symbol(figure)
        assert chord_name(symbol.root, symbol.pitch_mask or 0, symbol.bass) == figure


def test_a_degree_of_thousands_of_digits_is_no_crash() -> None:
    assert chord_symbol("C(add" + "9" * 5000 + ")").quality is None


def assert_inferred_as_note_seq_does(
    sequence: music_pb2.NoteSequence, chords_per_bar: int | None = None
) -> bool:
    """Whether there were chords to compare."""
    piece = read_piece(sequence.SerializeToString())
    try:
        quantized = sequences_lib.quantize_note_sequence(sequence, 4)
    except Exception:
        with pytest.raises(UnusableMeterError):
            infer_chords(piece)
        return False
    try:
        reference.infer_chords_for_sequence(quantized, chords_per_bar)
    except reference.ChordInferenceError:
        with pytest.raises(ChordInferenceError):
            infer_chords(piece, chords_per_bar=chords_per_bar)
        return False
    inferred = infer_chords(piece, chords_per_bar=chords_per_bar)
    chords = [(chord.time, chord.text) for chord in quantized.text_annotations]
    assert list(zip(inferred.chord_times.tolist(), inferred.chords, strict=True)) == chords
    steps = [chord.quantized_step for chord in quantized.text_annotations]
    assert quantize(inferred, 4).chord_steps.tolist() == steps
    return True


def music(notes: list[tuple[int, int, int]], meter: tuple[int, int]) -> music_pb2.NoteSequence:
    sequence = music_pb2.NoteSequence(ticks_per_quarter=220)
    sequence.tempos.add(qpm=97.0)
    sequence.time_signatures.add(numerator=meter[0], denominator=meter[1])
    for start, length, pitch in notes:
        sequence.notes.add(
            start_time=start / 7, end_time=(start + length) / 7, pitch=pitch, velocity=80,
            program=pitch % 3 * 50, is_drum=pitch == 127,
        )  # fmt: skip
    sequence.total_time = max((note.end_time for note in sequence.notes), default=0.0)
    return sequence


@pytest.fixture(scope="module")
def fast_reference() -> pytest.MonkeyPatch:
    """note_seq computes the same transitions again at every call, for half a second."""
    patch = pytest.MonkeyPatch()
    known: dict[tuple[object, ...], np.ndarray] = {}
    transitions = reference._key_chord_transition_distribution

    def once(distribution: np.ndarray, **probabilities: float) -> np.ndarray:
        key = (distribution.tobytes(), *probabilities.values())
        if key not in known:
            known[key] = transitions(distribution, **probabilities)
        return known[key]

    patch.setattr(reference, "_key_chord_transition_distribution", once)
    return patch


NOTES = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 30), st.integers(30, 127)), max_size=25
)


@pytest.mark.usefixtures("fast_reference")
@given(NOTES, st.sampled_from([(4, 4), (3, 4), (6, 8), (2, 2), (5, 4), (3, 8)]))
@settings(max_examples=40, deadline=None)
def test_inferred_chords_are_note_seqs(
    notes: list[tuple[int, int, int]], meter: tuple[int, int]
) -> None:
    assert_inferred_as_note_seq_does(music(notes, meter))


@pytest.mark.usefixtures("fast_reference")
def test_chords_a_bar_can_be_said() -> None:
    notes = [(step * 3, 5, 48 + step * 7 % 31) for step in range(40)]
    assert assert_inferred_as_note_seq_does(music(notes, (5, 4)), chords_per_bar=5)
    assert not assert_inferred_as_note_seq_does(music(notes, (5, 4)), chords_per_bar=3)
    with pytest.raises(ChordInferenceError, match="0 chords a bar"):
        infer_chords(read_piece(music(notes, (4, 4)).SerializeToString()), chords_per_bar=0)


def test_parts_get_chords_of_their_own() -> None:
    sequence = music([(step * 3, 5, 48 + step * 7 % 31) for step in range(40)], (4, 4))
    sequence.time_signatures.add(time=6.0, numerator=5, denominator=4)
    sequence.time_signatures.add(time=9.0, numerator=3, denominator=4)
    piece = read_piece(sequence.SerializeToString())
    inferred = infer_chords_by_parts(piece)
    chords = list(zip(inferred.chord_times.tolist(), inferred.chords, strict=True))
    first, second, third = split_on_time_changes(piece)
    expected = [*zip(*chords_of(infer_chords(first)), strict=True), (6.0, NO_CHORD)]
    times, figures = chords_of(infer_chords(third))
    expected += zip([time + 9.0 for time in times], figures, strict=True)
    assert chords == expected
    with pytest.raises(ChordInferenceError, match="5/4"):
        infer_chords(second)
    assert infer_chords_by_parts(read_piece(b"")).chords == ()


def chords_of(piece: Piece) -> tuple[list[float], tuple[str, ...]]:
    return piece.chord_times.tolist(), piece.chords


def test_what_has_chords_is_left_alone() -> None:
    sequence = music([(0, 9, 60)], (4, 4))
    sequence.text_annotations.add(text="Am", annotation_type=1)
    for infer in (infer_chords, infer_chords_by_parts):
        with pytest.raises(ChordInferenceError, match="'Am'"):
            infer(read_piece(sequence.SerializeToString()))


def test_probabilities_are_note_seqs_to_the_last_bit() -> None:
    distribution = reference._key_chord_distribution(chord_pitch_out_of_key_prob=0.03)
    steps = reference._key_chord_transition_distribution(
        distribution, key_change_prob=0.002, chord_change_prob=0.4
    )
    model = chord_inference.ChordModel(0.002, 0.4, 0.03)
    in_keys, ours = chord_inference._log_probabilities(model)
    assert np.array_equal(in_keys, np.log(distribution))
    assert np.array_equal(ours, np.log(steps))


@pytest.mark.slow
@pytest.mark.usefixtures("fast_reference")
@pytest.mark.skipif(not makers.SHARED.exists(), reason="real music is not there")
def test_chords_of_real_scores_are_note_seqs() -> None:
    compared = 0
    for path in sorted(Path(makers.SHARED / "clean_midi").glob("*/*.mid"))[::60]:
        try:
            sequence = readers.read_score(path.read_bytes(), path.name, "t")[0].note_sequence()
        except ValueError:
            continue
        parts = sequences_lib.split_note_sequence_on_time_changes(sequence)
        for part in sorted(parts, key=lambda part: -part.total_time)[:1]:
            del part.text_annotations[:]
            compared += assert_inferred_as_note_seq_does(part)
    assert compared > 12
