"""The encodings of lead sheets against what Magenta wrote and against note_seq's classes."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from note_seq import (
    chord_symbols_lib,
    chords_encoder_decoder,
    chords_lib,
    encoder_decoder,
    lead_sheets_lib,
    melody_encoder_decoder,
    sequences_lib,
)
from note_seq.protobuf import music_pb2

from corpus import readers, shards
from corpus.encodings.chord_symbols import NO_CHORD, UnknownChordError
from corpus.encodings.magenta_improv import (
    CHORDS,
    AttentionImprovEncoding,
    BasicImprovEncoding,
    ChordPitchesImprovEncoding,
    LeadSheetEncoding,
)
from corpus.encodings.melody_search import MelodySearch
from corpus.encodings.piece import read_piece
from corpus.encodings.results import EncodedExample, EncodedPiece
from tests import makers
from tests.test_magenta_melody import magentas_search
from tests.test_quantize import REFUSED, real_files

CHORD_SYMBOL = music_pb2.NoteSequence.TextAnnotation.CHORD_SYMBOL


def conditional(chords: Any, melody: Any) -> Any:
    return encoder_decoder.ConditionalEventSequenceEncoderDecoder(chords, melody)


TRIADS = encoder_decoder.OneHotEventSequenceEncoderDecoder(
    chords_encoder_decoder.TriadChordOneHotEncoding()
)
PITCHES = chords_encoder_decoder.PitchChordsEncoderDecoder()
ONE_HOT = encoder_decoder.OneHotEventSequenceEncoderDecoder(
    melody_encoder_decoder.MelodyOneHotEncoding(48, 84)
)
KEYS = melody_encoder_decoder.KeyMelodyEncoderDecoder(48, 84)
REFERENCES: dict[type[LeadSheetEncoding], Any] = {
    BasicImprovEncoding: conditional(TRIADS, ONE_HOT),
    AttentionImprovEncoding: conditional(TRIADS, KEYS),
    ChordPitchesImprovEncoding: conditional(PITCHES, ONE_HOT),
}
SIZES = {"basic_improv": (87, 38), "attention_improv": (123, 40), "chord_pitches_improv": (75, 38)}
CLASSES = list(REFERENCES)


def encode(encoding: LeadSheetEncoding, sequence: Any) -> EncodedPiece:
    return encoding.encode(read_piece(sequence.SerializeToString()))


@pytest.mark.parametrize("kind", CLASSES)
def test_sizes_are_the_published_ones(kind: type[LeadSheetEncoding]) -> None:
    assert (kind.input_size, kind.num_classes) == SIZES[kind.name]
    assert (REFERENCES[kind].input_size, REFERENCES[kind].num_classes) == SIZES[kind.name]


def lead_sheets(quantized: Any, search: MelodySearch, amounts: range) -> list[Any]:
    """What Magenta's extractor finds in one part."""
    sheets = []
    for melody in magentas_search(quantized, search):
        chords = chords_lib.ChordProgression()
        try:
            chords.from_quantized_sequence(quantized, melody.start_step, melody.end_step)
        except chords_lib.CoincidentChordsError:
            continue
        if all(chord == NO_CHORD for chord in chords):
            continue
        for amount in amounts:
            sheet = lead_sheets_lib.LeadSheet(copy.deepcopy(melody), copy.deepcopy(chords))
            try:
                sheet.transpose(amount)
            except chord_symbols_lib.ChordSymbolError:
                return []
            sheets.append(sheet)
    return sheets


def magentas_examples(
    kind: type[LeadSheetEncoding], sequence: Any, search: MelodySearch, amounts: range
) -> list[tuple[Any, Any]]:
    """(inputs, labels) that improv_rnn_create_dataset would write of a score."""
    found = []
    for part in sequences_lib.split_note_sequence_on_time_changes(sequence):
        try:
            quantized = sequences_lib.quantize_note_sequence(part, 4)
        except REFUSED:
            continue
        if sequences_lib.steps_per_bar_in_quantized_sequence(quantized) % 1:
            continue
        for sheet in lead_sheets(quantized, search, amounts):
            sheet.squash(48, 84, None)
            try:
                found.append(REFERENCES[kind].encode(sheet.chords, sheet.melody))
            except (chords_encoder_decoder.ChordEncodingError, chord_symbols_lib.ChordSymbolError):
                continue
    return found


def check_score(
    kind: type[LeadSheetEncoding],
    sequence: Any,
    search: MelodySearch = MelodySearch(min_unique_pitches=3),  # noqa: B008 - it is frozen
    amounts: range = range(-6, 6),
) -> int:
    """Our examples are Magenta's; returns how many there are."""
    encoding = kind(
        min_bars=search.min_bars, max_steps=search.max_steps, transpositions=amounts,
        min_unique_pitches=search.min_unique_pitches,
    )  # fmt: skip
    encoded = encode(encoding, sequence)
    expected = magentas_examples(kind, sequence, search, amounts)
    assert len(encoded.examples) == len(expected)
    assert encoded.examples or encoded.dropped
    assert set(encoded.dropped) <= set(encoding.reasons)
    for example, (inputs, labels) in zip(encoded.examples, expected, strict=True):
        assert 0 <= example.events.min() <= example.events.max() < encoding.num_events
        found = encoding.inputs(example)
        assert found.shape == (len(example.events), encoding.input_size)
        assert np.array_equal(found[:-1], np.reshape(inputs, (-1, encoding.input_size)))
        assert encoding.labels(example)[1:].tolist() == labels
    return len(expected)


FIGURES = st.sampled_from(
    ["C", "Am7", "F#dim", "Bb+", "G7/B", "Dm", "Ebmaj7", "Csus", "C(add3)", "H", NO_CHORD, "Am"]
)
NOTE = st.tuples(st.integers(1, 9), st.integers(1, 8), st.integers(0, 127))
CHORD = st.tuples(st.integers(0, 120), FIGURES)


@st.composite
def scores(draw: st.DrawFn) -> Any:
    """Lead sheets in sixteenths at 120, of one or two melodies, at times with bad chords."""
    sequence = music_pb2.NoteSequence(ticks_per_quarter=220)
    numerator, denominator = draw(st.sampled_from([(4, 4), (3, 4), (6, 8), (3, 32)]))
    sequence.time_signatures.add(numerator=numerator, denominator=denominator)
    for instrument in range(draw(st.integers(1, 2))):
        step = draw(st.integers(0, 20))
        for gap, length, pitch in draw(st.lists(NOTE, min_size=1, max_size=14)):
            sequence.notes.add(
                start_time=step / 8, end_time=(step + length) / 8, pitch=pitch, velocity=90,
                instrument=instrument,
            )  # fmt: skip
            step += gap
    for step, figure in draw(st.lists(CHORD, max_size=8)):
        sequence.text_annotations.add(time=step / 8, text=figure, annotation_type=CHORD_SYMBOL)
    sequence.text_annotations.add(text="no chord")
    if draw(st.integers(0, 4)) == 0:
        sequence.tempos.add(qpm=120)
        sequence.tempos.add(qpm=60, time=5.0)
    sequence.total_time = max(note.end_time for note in sequence.notes)
    return sequence


@pytest.mark.parametrize("kind", CLASSES)
@given(scores(), st.sampled_from([30, 512]))
@settings(max_examples=80, deadline=None)
def test_lead_sheets_are_magentas(
    kind: type[LeadSheetEncoding], sequence: Any, max_steps: int
) -> None:
    search = MelodySearch(min_bars=1, max_steps=max_steps, min_unique_pitches=1)
    check_score(kind, sequence, search, range(-6, 6, 5))


def check_files(kind: type[LeadSheetEncoding], count: int, amounts: range) -> Counter[str]:
    counts: Counter[str] = Counter()
    for path in real_files("leadsheets", count):
        try:
            scores_ = readers.read_score(path.read_bytes(), path.name, "real")
        except readers.ReadError:
            continue
        for score in scores_:
            examples = check_score(kind, score.note_sequence(), amounts=amounts)
            counts.update(files=1, examples=examples)
    return counts


@pytest.mark.parametrize("kind", CLASSES)
def test_real_lead_sheets_are_magentas(kind: type[LeadSheetEncoding]) -> None:
    assert check_files(kind, 8, range(-6, 6, 6))["examples"] > 5


@pytest.mark.slow
@pytest.mark.parametrize("kind", [BasicImprovEncoding, ChordPitchesImprovEncoding])
def test_many_real_lead_sheets_are_magentas(kind: type[LeadSheetEncoding]) -> None:
    counts = check_files(kind, 220, range(-6, 6, 4))
    assert counts["files"] > 190
    assert counts["examples"] > 300


@pytest.mark.parametrize("kind", CLASSES)
def test_decode_gives_back_melody_and_chords(kind: type[LeadSheetEncoding]) -> None:
    (data,) = shards.read_shard(str(makers.GOLDEN / "xml.ns.tfrecord"))
    examples = kind().encode(read_piece(data)).examples
    assert len({example.made_by for example in examples}) == 12
    for example in examples:
        again = encode(kind(transpositions=(0,)), kind().decode(example, 97.0)).examples
        assert [other.events.tolist() for other in again] == [example.events.tolist()]
        assert np.array_equal(again[0].controls[CHORDS], example.controls[CHORDS])
        labels = kind().labels(example).tolist()
        for step, label in enumerate(labels):
            event = kind().label_to_event(label, example.events[:step])
            assert event == example.events[step]


def lead_sheet(*chords: tuple[float, str]) -> Any:
    """Ten bars of eighths from C to C, and chords at seconds."""
    sequence = music_pb2.NoteSequence(ticks_per_quarter=220, total_time=20.0)
    for index in range(80):
        sequence.notes.add(
            start_time=index / 4,
            end_time=(index + 1) / 4,
            pitch=makers.SCALE[index % 8],
            velocity=90,
        )
    for time, figure in chords:
        sequence.text_annotations.add(time=time, text=figure, annotation_type=CHORD_SYMBOL)
    return sequence


def test_what_is_dropped_is_told() -> None:
    def dropped(*chords: tuple[float, str]) -> dict[str, int]:
        encoded = encode(BasicImprovEncoding(), lead_sheet(*chords))
        assert not encoded.examples
        return dict(encoded.dropped)

    assert dropped() == {"no_chords": 1}
    assert dropped((1.0, NO_CHORD)) == {"no_chords": 1}
    assert dropped((0.0, "C"), (1.0, "G"), (1.01, "F")) == {"coincident_chords": 1}
    assert dropped((0.0, "C"), (1.0, "Z")) == {"unknown_chord": 1}
    assert dropped((0.0, "C"), (1.0, "Gsus")) == {"not_a_triad": 1}
    assert dropped((0.0, "C"), (1.0, "G(add3)")) == {"not_a_triad": 1}
    bad = encode(ChordPitchesImprovEncoding(), lead_sheet((1.0, "G(add3)")))
    assert bad.dropped == {"unknown_chord": 1}
    assert len(encode(ChordPitchesImprovEncoding(), lead_sheet((1.0, "Gsus"))).examples) == 12
    # A model is never told of the chord of the first step.
    (first, *_) = encode(BasicImprovEncoding(), lead_sheet((0.0, "Gsus"), (0.125, "C"))).examples
    assert first.controls[CHORDS][:2].tolist() == [0, 7]
    assert encode(BasicImprovEncoding(), music_pb2.NoteSequence()).dropped == {"no_chords": 1}
    silent = lead_sheet((0.0, "C"))
    del silent.notes[:]
    assert encode(BasicImprovEncoding(), silent).dropped == {"no_melody_notes": 1}
    fast = lead_sheet((0.0, "C"))
    fast.tempos.add(qpm=1e9)
    assert encode(BasicImprovEncoding(), fast).dropped == {"too_long": 1}
    odd = lead_sheet((0.0, "C"))
    odd.time_signatures.add(numerator=3, denominator=32)
    assert encode(BasicImprovEncoding(), odd).dropped == {"unusable_meter": 1}


def test_missing_chords_can_be_inferred() -> None:
    encoding = BasicImprovEncoding(infer_missing_chords=True, transpositions=(0,))
    (example,) = encode(encoding, lead_sheet()).examples
    assert len(np.unique(example.controls[CHORDS])) > 1
    assert encoding.decode(example).text_annotations
    given_ = encode(encoding, lead_sheet((0.0, "Am"))).examples[0]
    assert set(given_.controls[CHORDS].tolist()) == {22}
    odd = lead_sheet()
    odd.time_signatures.add(numerator=5, denominator=4)
    assert encode(encoding, odd).dropped == {"no_chords": 1}


@pytest.mark.parametrize("kind", CLASSES)
def test_a_melody_can_be_made_for_given_chords(kind: type[LeadSheetEncoding]) -> None:
    encoding = kind()
    controls = encoding.controls_of([NO_CHORD, "C", "Am", "F"])
    assert encoding.primer([60, -2, 62, 90]).tolist() == [14, 0, 16, 32]
    events = encoding.primer([60, -2])
    inputs = encoding.inputs(EncodedExample(events, controls))
    expected = [
        REFERENCES[kind].events_to_input([NO_CHORD, "C", "Am", "F"], [60, -2], step)
        for step in range(2)
    ]
    assert inputs.tolist() == expected
    with pytest.raises(UnknownChordError, match="'H'"):
        encoding.controls_of(["C", "H"])
    with pytest.raises(ValueError, match=r"'C\(add3\)'"):
        encoding.controls_of(["C(add3)"])
    assert encoding.controls_of([])[CHORDS].shape[0] == 0
