"""What Magenta makes of a serialized NoteSequence, with note_seq's own classes, for each name.

The searches for melodies, drums, lead sheets and performances are those that the tests hold our
encodings to. note_seq has no Polyphony RNN; its events are counted out here step by step.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from note_seq import (
    chord_inference,
    chord_symbols_lib,
    chords_encoder_decoder,
    encoder_decoder,
    events_lib,
    melodies_lib,
    performance_controls,
    pianoroll_encoder_decoder,
    pianoroll_lib,
    sequences_lib,
)
from note_seq.protobuf import music_pb2

from corpus.encodings.magenta_performance import CONFIGURATIONS, DENSITY, DENSITY_BOUNDS, HISTOGRAM
from corpus.encodings.magenta_polyphony import (
    CONTINUED_NOTE,
    END,
    NEW_NOTE,
    NUM_CLASSES,
    START,
    STEP_END,
)
from corpus.encodings.melody_search import MelodySearch
from tests import test_magenta_drums as drums
from tests import test_magenta_improv as improv
from tests import test_magenta_melody as melody
from tests.magenta_performances import Reference

Work = Callable[[bytes], object]

_TRANSPOSITIONS = range(-4, 5)
_MIN_STEPS, _MAX_STEPS, _MAX_ROLL_STEPS = 80, 512, 2048
_SIGNALS = {
    DENSITY: performance_controls.NoteDensityPerformanceControlSignal(3.0, list(DENSITY_BOUNDS)),
    HISTOGRAM: performance_controls.PitchHistogramPerformanceControlSignal(5.0),
}
_REFUSED = (
    sequences_lib.BadTimeSignatureError,
    sequences_lib.MultipleTimeSignatureError,
    sequences_lib.MultipleTempoError,
    sequences_lib.NegativeTimeError,
    events_lib.NonIntegerStepsPerBarError,
    chord_inference.ChordInferenceError,
    chord_inference.SequenceTooLongError,
)
_NO_CHORD = (chords_encoder_decoder.ChordEncodingError, chord_symbols_lib.ChordSymbolError)


def of_name(name: str, *, with_vectors: bool) -> Work:
    """Magenta's work for one of its configurations.

    Args:
      name: as in our registry.
      with_vectors: whether to the inputs and labels that Magenta writes; else to events, and
        to the controls of those that have some.
    """
    if name in melody.ENCODINGS:
        return _melodies(name, with_vectors)
    if name in drums.ENCODINGS:
        return _drums(name, with_vectors)
    if name in CONFIGURATIONS:
        return _performances(name, with_vectors)
    if name == "polyphony":
        return _polyphony(with_vectors)
    return _rolls(with_vectors) if name == "rnn-nade" else _lead_sheets(name, with_vectors)


def _sequence(data: bytes) -> Any:
    return music_pb2.NoteSequence.FromString(data)


def _parts(data: bytes) -> Iterator[Any]:
    """Quantized parts of one meter and tempo, with whole bars."""
    for part in sequences_lib.split_note_sequence_on_time_changes(_sequence(data)):
        try:
            quantized = sequences_lib.quantize_note_sequence(part, 4)
            if not sequences_lib.steps_per_bar_in_quantized_sequence(quantized) % 1:
                yield quantized
        except _REFUSED:
            continue


def _melodies(name: str, with_vectors: bool) -> Work:
    encoding, encoder = melody.ENCODINGS[name]

    def work(data: bytes) -> None:
        for values in melody.magentas_melodies(encoding, _sequence(data)):
            if with_vectors:
                encoder.encode(melodies_lib.Melody(values))

    return work


def _drums(name: str, with_vectors: bool) -> Work:
    _, classes, encoder = drums.ENCODINGS[name]

    def work(data: bytes) -> None:
        for part in _parts(data):
            for track in drums.magentas_tracks(part):
                if with_vectors:
                    encoder.encode(track)
                else:
                    for event in track:
                        classes.encode_event(event)

    return work


def _lead_sheets(name: str, with_vectors: bool) -> Work:
    kind = next(kind for kind in improv.REFERENCES if kind.name == name)
    search, amounts = MelodySearch(min_unique_pitches=3), range(-6, 6)

    def work(data: bytes) -> None:
        for part in _parts(data):
            for sheet in improv.lead_sheets(part, search, amounts):
                sheet.squash(48, 84, None)
                if with_vectors:
                    try:
                        improv.REFERENCES[kind].encode(sheet.chords, sheet.melody)
                    except _NO_CHORD:
                        continue

    return work


def _performances(name: str, with_vectors: bool) -> Work:
    reference = Reference(name)
    controls = [] if with_vectors else CONFIGURATIONS[name].controls

    def work(data: bytes) -> None:
        found = reference.examples if with_vectors else reference.performances
        for performance in found(_sequence(data)):
            for control in controls:
                _SIGNALS[control].extract(performance)

    return work


def _transposed(part: Any) -> Iterator[Any]:
    """A part of one program in nine keys, each a copy, as Magenta's pipeline has it."""
    if len({note.program for note in part.notes}) > 1:
        return
    for amount in _TRANSPOSITIONS:
        moved = copy.deepcopy(part)
        for note in moved.notes:
            if not note.is_drum:
                note.pitch += amount
        if all(0 <= note.pitch <= 127 for note in moved.notes):
            yield moved


class _Classes(encoder_decoder.OneHotEncoding):  # type: ignore[misc]
    """Events that are classes."""

    num_classes = NUM_CLASSES
    default_event = STEP_END

    def encode_event(self, event: int) -> int:
        return event


def _polyphonic_events(part: Any) -> list[int]:
    """What sounds at each step, the highest note first, what goes on before what is new."""
    beginning: dict[int, list[int]] = defaultdict(list)
    sounding: dict[int, list[int]] = defaultdict(list)
    for note in part.notes:
        beginning[note.quantized_start_step].append(note.pitch)
        for step in range(note.quantized_start_step + 1, note.quantized_end_step):
            sounding[step].append(note.pitch)
    events = [START]
    for step in range(part.total_quantized_steps):
        pairs = [(-pitch, CONTINUED_NOTE + pitch) for pitch in sounding[step]]
        pairs += [(-pitch, NEW_NOTE + pitch) for pitch in beginning[step]]
        events += [event for _, event in sorted(pairs, key=lambda pair: (pair[0], -pair[1]))]
        events.append(STEP_END)
    return [*events, END]


def _polyphony(with_vectors: bool) -> Work:
    encoder = encoder_decoder.OneHotEventSequenceEncoderDecoder(_Classes())

    def work(data: bytes) -> None:
        for part in _parts(data):
            if _MIN_STEPS <= part.total_quantized_steps <= _MAX_STEPS:
                for moved in _transposed(part):
                    events = _polyphonic_events(moved)
                    if with_vectors:
                        encoder.encode(events)

    return work


def _rolls(with_vectors: bool) -> Work:
    encoder = pianoroll_encoder_decoder.PianorollEncoderDecoder()

    def work(data: bytes) -> None:
        for part in _parts(data):
            if part.total_quantized_steps < _MIN_STEPS:
                continue
            for moved in _transposed(part):
                roll = pianoroll_lib.PianorollSequence(quantized_sequence=moved)
                roll.set_length(min(roll.num_steps, _MAX_ROLL_STEPS))
                if with_vectors:
                    encoder.encode(roll)

    return work


def infer_chords(data: bytes) -> None:
    """note_seq's chord inference on every part."""
    for part in _parts(data):
        try:
            chord_inference.infer_chords_for_sequence(part)
        except _REFUSED:
            continue
