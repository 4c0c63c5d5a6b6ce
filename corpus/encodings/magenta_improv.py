"""Lead sheets as Magenta 2.1.4's improv_rnn has them: a melody and the chords under it.

A piece is split where its meter or tempo changes and put on 4 steps a quarter. Melodies are found
as for melody_rnn, but with 3 pitch classes or more, and each takes the chords that hold in its
steps, at least one of them. Every lead sheet is moved by -6 to 5 semitones, for training and for
evaluation, and folded into 48..83.

In full, melodies are those of melody_rnn's full extraction, chords are inferred where a piece has
none, a chord that a model cannot be told of is told as no chord, and a lead sheet is evaluated as
it is and trained on in a few transpositions.

Events are those of the melody: 0 no event, 1 note off, 2 + (pitch - 48). A model is told the
chord of the next step before what it knows of the melody, and predicts the melody's labels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.encodings.chord_inference import infer_chords_by_parts
from corpus.encodings.chord_symbols import NO_CHORD, UnknownChordError
from corpus.encodings.chord_vectors import ChordVectors, PitchChords, TriadChords
from corpus.encodings.extraction import draw_variants
from corpus.encodings.lead_sheet_chords import (
    CoincidentChordsError,
    chords_of,
    with_inferred_chords,
)
from corpus.encodings.magenta_melody import (
    STEPS_PER_QUARTER,
    AttentionRnnEncoding,
    BasicRnnEncoding,
    MelodyEncoding,
)
from corpus.encodings.melody_search import FIRST_PITCH, FoundMelody, MelodySearch, find_melodies
from corpus.encodings.piece import Piece
from corpus.encodings.quantize import Quantized, Steps
from corpus.encodings.results import Controls, EncodedExample, EncodedPiece
from corpus.encodings.steady_parts import full_parts, magenta_parts

CHORDS = "chords"  # the name of the controls
_CHORD_SYMBOL = 1  # note_seq's TextAnnotation.AnnotationType


class LeadSheetEncoding:
    """What the encodings of lead sheets share.

    Attributes:
      name, version, num_events, num_classes, input_size, reasons: as every encoding has them.
      chord_vectors: how a model is told of chords.
      melody: the encoding of the melody.
    """

    name: str
    version = "2"
    num_events: int
    num_classes: int
    input_size: int
    reasons: tuple[str, ...] = (
        "too_long",
        "no_melody_notes",
        "unusable_meter",
        "polyphonic",
        "too_short",
        "too_few_pitches",
        "no_chords",
        "coincident_chords",
        "unknown_chord",
        "not_a_triad",
    )
    chord_vectors: ChordVectors
    melody: MelodyEncoding

    def __init__(
        self,
        *,
        min_bars: float = 7,
        max_steps: int = 512,
        min_unique_pitches: int = 3,
        gap_bars: float = 1.0,
        ignore_polyphonic_notes: bool = False,
        transpositions: Sequence[int] = range(-6, 6),
        infer_missing_chords: bool = False,
        full: bool = False,
        augment: int = 2,
    ) -> None:
        """The defaults are Magenta's.

        Args:
          min_bars, max_steps, min_unique_pitches, gap_bars, ignore_polyphonic_notes: what counts
            as a melody; see `MelodySearch`.
          transpositions: semitones; one example for each, or in full those to draw from.
          infer_missing_chords: gives a piece without chords those of `infer_chords_by_parts`; in
            full it gets some whatever this says.
          full: keep what Magenta drops; see above.
          augment: in full, how many transpositions a lead sheet to train on has beside its own.
        """
        self._search = MelodySearch(
            min_bars, max_steps, min_unique_pitches, gap_bars, ignore_polyphonic_notes, full
        )
        self._augment = augment
        self._transpositions = tuple(transpositions)
        self._infer_missing_chords = infer_missing_chords

    def encode(self, piece: Piece, *, is_training: bool = False) -> EncodedPiece:
        """Every lead sheet in its transpositions, in Magenta's order: part, instrument, time.

        Args:
          piece: the score.
          is_training: in full, whether it is transposed; else it changes nothing, as in Magenta.
        """
        found = EncodedPiece()
        if self._search.full:
            self._encode_full(piece, is_training, found)
        else:
            self._encode_as_magenta(piece, found)
        if not found.examples and not found.dropped:
            found.dropped["no_melody_notes"] += 1
        return found

    def _encode_as_magenta(self, piece: Piece, found: EncodedPiece) -> None:
        if not piece.chords and not self._infer_missing_chords:
            found.dropped["no_chords"] += 1
            return
        if not piece.chords:
            piece = infer_chords_by_parts(piece)
        for part in magenta_parts(piece, STEPS_PER_QUARTER, found.dropped):
            examples: list[EncodedExample] = []
            try:
                for melody in find_melodies(part.quantized, self._search, found.dropped):
                    place = part.place(melody, STEPS_PER_QUARTER)
                    examples += self._lead_sheets(part.quantized, melody, place, found.dropped)
            except UnknownChordError:  # Magenta gives the whole part up.
                found.dropped["unknown_chord"] += 1
            else:
                found.examples += examples

    def _encode_full(self, piece: Piece, is_training: bool, found: EncodedPiece) -> None:
        amounts = [0]
        if is_training:
            others = [amount for amount in self._transpositions if amount]
            amounts += draw_variants(piece, others, self._augment)
        for part in full_parts(piece, STEPS_PER_QUARTER, self._search.min_bars, found.dropped):
            quantized, remark = part.quantized, ""
            melodies = find_melodies(quantized, self._search, found.dropped)
            if melodies and part.piece is not None and not piece.chords:
                quantized = with_inferred_chords(part.piece, STEPS_PER_QUARTER)
                remark = ", chords inferred"
            for melody in melodies:
                place = part.place(melody, STEPS_PER_QUARTER) + remark
                found.examples += self._told(quantized, melody, place, amounts, found.dropped)

    def _lead_sheets(
        self, quantized: Quantized, melody: FoundMelody, place: str, dropped: Counter[str]
    ) -> Iterator[EncodedExample]:
        """All transpositions of one melody with its chords; raises UnknownChordError."""
        try:
            figures, figure_of = chords_of(quantized, melody.start_step, len(melody.events))
        except CoincidentChordsError:
            dropped["coincident_chords"] += 1
            return
        if all(figure == NO_CHORD for figure in figures):
            dropped["no_chords"] += 1
            return
        chords = self.chord_vectors.read(figures)
        # A model is never told of the first step's chord.
        if (chords[np.unique(figure_of[1:])] < 0).any():
            dropped[self.chord_vectors.fault] += 1
            return
        yield from self._transposed(melody, chords, figure_of, place, self._transpositions)

    def _told(
        self,
        quantized: Quantized,
        melody: FoundMelody,
        place: str,
        amounts: Sequence[int],
        dropped: Counter[str],
    ) -> Iterator[EncodedExample]:
        """Some transpositions of one melody with those of its chords that can be told."""
        figures, figure_of = chords_of(
            quantized, melody.start_step, len(melody.events), last_holds=True
        )
        can_tell = [self._can_tell(figure) for figure in figures]
        if num_untold := can_tell.count(False):
            place += f", {num_untold} chord{'s' * (num_untold > 1)} not told"
            pairs = zip(figures, can_tell, strict=True)
            figures = [figure if told else NO_CHORD for figure, told in pairs]
        if all(figure == NO_CHORD for figure in figures):
            dropped["no_chords"] += 1
            return
        chords = self.chord_vectors.read(figures)
        yield from self._transposed(melody, chords, figure_of, place, amounts)

    def _can_tell(self, figure: str) -> bool:
        try:
            return not (self.chord_vectors.read([figure]) < 0).any()
        except UnknownChordError:
            return False

    def _transposed(
        self,
        melody: FoundMelody,
        chords: Steps,
        figure_of: Steps,
        place: str,
        amounts: Sequence[int],
    ) -> Iterator[EncodedExample]:
        for amount in amounts:
            yield EncodedExample(
                _moved(melody.events, amount, self.melody.min_note, self.melody.max_note),
                {CHORDS: self.chord_vectors.transpose(chords, amount)[figure_of]},
                f"{place}, transposed {amount:+d}",
            )

    def inputs(self, example: EncodedExample) -> npt.NDArray[np.float32]:
        """Inputs, shape [num_steps, input_size]: the chord of the next step, then the melody.

        Behind the last chord it is told again. Where there are more chords than events, as when
        a melody is made for given chords, the last event is told what comes next.
        """
        chords = example.controls[CHORDS]
        following = np.minimum(np.arange(len(example.events)) + 1, len(chords) - 1)
        vectors = self.chord_vectors.vectors(chords[following])
        return np.concatenate([vectors, self.melody.inputs(example)], axis=1)

    def labels(self, example: EncodedExample) -> Steps:
        """The melody's labels, shape [num_steps]."""
        return self.melody.labels(example)

    def label_to_event(self, label: int, events: Steps) -> int:
        """The event class of a label after `events`."""
        return self.melody.label_to_event(label, events)

    def primer(self, melody_events: Sequence[int]) -> Steps:
        """Event classes of a primer in Magenta's melody events, folded into the range.

        Raises:
          ValueError: an event out of range, or no note in it.
        """
        return self.melody.primer(melody_events)[0]

    def controls_of(self, figures: Sequence[str]) -> Controls:
        """The controls of chords to make a melody for, one figure a step.

        Raises:
          ValueError: a figure is no chord symbol, or a model cannot be told of it.
        """
        chords = self.chord_vectors.read(figures)
        for figure, chord in zip(figures, chords, strict=True):
            if np.any(chord < 0):
                raise ValueError(
                    f"{figure!r} cannot be told to a model of {self.name} "
                    f"({self.chord_vectors.fault}); C, Am7, Bdim or Gaug can"
                )
        return {CHORDS: chords}

    def decode(self, example: EncodedExample, qpm: float = 120.0) -> Any:
        """The NoteSequence of a lead sheet: the melody, velocity 100, and chords as annotations."""
        sequence = self.melody.decode(example, qpm)
        figures = self.chord_vectors.names(example.controls[CHORDS][: len(example.events)])
        seconds_per_step = 60.0 / qpm / STEPS_PER_QUARTER
        for step, (before, figure) in enumerate(pairwise([NO_CHORD, *figures])):
            if figure != before:
                sequence.text_annotations.add(
                    time=step * seconds_per_step, text=figure, annotation_type=_CHORD_SYMBOL
                )
        return sequence


class _BasicMelody(BasicRnnEncoding):
    key = None


class _AttentionMelody(AttentionRnnEncoding):
    key = None


class BasicImprovEncoding(LeadSheetEncoding):
    """basic_improv: triads and one-hot melody events."""

    name = "basic_improv"
    chord_vectors = TriadChords()
    melody = _BasicMelody()
    num_events, num_classes = melody.num_events, melody.num_classes
    input_size = chord_vectors.size + melody.input_size


class AttentionImprovEncoding(LeadSheetEncoding):
    """attention_improv: triads and attention_rnn's vectors of the melody."""

    name = "attention_improv"
    chord_vectors = TriadChords()
    melody = _AttentionMelody()
    num_events, num_classes = melody.num_events, melody.num_classes
    input_size = chord_vectors.size + melody.input_size


class ChordPitchesImprovEncoding(LeadSheetEncoding):
    """chord_pitches_improv: root, pitch classes and bass of a chord, and one-hot melody events."""

    name = "chord_pitches_improv"
    chord_vectors = PitchChords()
    melody = _BasicMelody()
    num_events, num_classes = melody.num_events, melody.num_classes
    input_size = chord_vectors.size + melody.input_size


def _moved(events: Steps, semitones: int, min_note: int, max_note: int) -> Steps:
    """A found melody moved by semitones, and by octaves into a range where it sticks out.

    Magenta folds it into MIDI's range first, which leaves it where it would be without.
    """
    pitch = events - FIRST_PITCH + semitones
    low, high = min_note + (pitch - min_note) % 12, max_note - 12 + (pitch - max_note) % 12
    folded = np.where(pitch < min_note, low, np.where(pitch >= max_note, high, pitch))
    return np.where(events >= FIRST_PITCH, folded - min_note + FIRST_PITCH, events)
