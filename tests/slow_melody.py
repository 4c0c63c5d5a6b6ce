"""attention_rnn by note_seq's own classes: slow, and the measure of our encoding.

Extraction follows Magenta 2.1.4's melody_rnn_create_dataset: split at every tempo and
meter change, quantize to 4 steps a quarter, take melodies of one instrument at a time
until silence of a bar, drop an instrument that strikes two notes on one step, drop
melodies that are too short or have too few pitch classes, cut at 512 steps, transpose
to C and fold into 48..83. note_seq's Melody, quantizer and splitter do the work.

Events are stored as note_seq's one-hot melody classes: 0 no event, 1 note off,
2 + (pitch - 48) note on; 38 classes. A model sees KeyMelodyEncoderDecoder's 74 inputs
and predicts its 40 labels. note_seq rebuilds the melody at every step to make an
input, O(steps^2); `inputs` is the same vectors in O(steps), which a test compares.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from note_seq import constants, events_lib, melodies_lib, sequences_lib

from corpus.encodings.melody_search import MelodySearch
from corpus.encodings.results import Events

MIN_NOTE, MAX_NOTE = 48, 84  # half-open, as note_seq has it
STEPS_PER_QUARTER = 4
LOOKBACKS = (16, 32)
COUNTER_BITS = 7
TRANSPOSE_TO_KEY = 0  # C

_NO_EVENT, _NOTE_OFF = constants.MELODY_NO_EVENT, constants.MELODY_NOTE_OFF
_NUM_SPECIAL = constants.NUM_SPECIAL_MELODY_EVENTS
_NOTE_RANGE = MAX_NOTE - MIN_NOTE
_NUM_KEYS = constants.NOTES_PER_OCTAVE
# _IN_KEY[pitch class, key]: 1 where the pitch class is a note of the major key.
_IN_KEY = np.zeros((_NUM_KEYS, _NUM_KEYS), dtype=np.int64)
for _pitch_class, _keys in enumerate(constants.NOTE_KEYS):
    _IN_KEY[_pitch_class, _keys] = 1

# Steps are counted out one by one, and a damaged tempo can make billions of them.
_MAX_PIECE_STEPS = 400_000

_SPLIT_ERRORS = (
    sequences_lib.BadTimeSignatureError,
    sequences_lib.MultipleTimeSignatureError,
    sequences_lib.MultipleTempoError,
    sequences_lib.NegativeTimeError,
)

_MAGENTAS = MelodySearch()


@dataclass
class Encoded:
    """The melodies of a piece, and reason -> count of what was dropped."""

    examples: list[Events] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)


class KeyMelodyEncoding:
    """attention_rnn's encoding: one-hot melody events, key-aware inputs, lookback labels."""

    name = "attention_rnn"
    version = "1"
    num_events = _NOTE_RANGE + _NUM_SPECIAL
    num_classes = _NOTE_RANGE + _NUM_SPECIAL + len(LOOKBACKS)
    input_size = _NOTE_RANGE + 2 + 1 + 1 + len(LOOKBACKS) + COUNTER_BITS + 1 + 2 * _NUM_KEYS
    reasons: tuple[str, ...] = (
        "encoder_failed",
        "too_long",
        "no_melody_notes",
        "unusable_meter",
        "polyphonic",
        "too_short",
        "too_few_pitches",
    )

    def __init__(self, search: MelodySearch = _MAGENTAS) -> None:
        self._search = search

    def encode(self, sequence: Any) -> Encoded:
        """Every melody of a NoteSequence, in Magenta's order: segment, instrument, time."""
        found = Encoded()
        for segment in sequences_lib.split_note_sequence_on_time_changes(sequence):
            try:
                quantized = sequences_lib.quantize_note_sequence(segment, STEPS_PER_QUARTER)
                if quantized.total_quantized_steps > _MAX_PIECE_STEPS:
                    found.dropped["too_long"] += 1
                    continue
                melodies = self._melodies(quantized, found.dropped)
            except (*_SPLIT_ERRORS, events_lib.NonIntegerStepsPerBarError):
                found.dropped["unusable_meter"] += 1
                continue
            for melody in melodies:
                melody.squash(MIN_NOTE, MAX_NOTE, TRANSPOSE_TO_KEY)
                found.examples.append(_to_classes(melody))
        if not found.examples and not found.dropped:
            found.dropped["no_melody_notes"] += 1
        return found

    def _melodies(self, quantized: Any, dropped: Counter[str]) -> list[melodies_lib.Melody]:
        steps_per_bar = int(sequences_lib.steps_per_bar_in_quantized_sequence(quantized))
        kept: list[melodies_lib.Melody] = []
        gap = self._search.gap_bars * steps_per_bar
        for passages in _passages(quantized, gap):
            for passage in passages:
                melody = melodies_lib.Melody()
                try:
                    melody.from_quantized_sequence(
                        passage,
                        instrument=passage.notes[0].instrument,
                        gap_bars=self._search.gap_bars,
                    )
                except melodies_lib.PolyphonicMelodyError:
                    dropped["polyphonic"] += 1
                    break  # Magenta gives the whole instrument up, but for what it has by then.
                reason = self._fault(melody)
                if reason:
                    dropped[reason] += 1
                else:
                    kept.append(melody)
        return kept

    def _fault(self, melody: melodies_lib.Melody) -> str:
        """Why a melody is dropped, or nothing; a long one is cut."""
        if len(melody) < melody.steps_per_bar * self._search.min_bars:
            return "too_short"
        if len(melody) > self._search.max_steps:
            melody.set_length(self._search.max_steps)
        num_pitches = np.count_nonzero(melody.get_note_histogram())
        return "too_few_pitches" if num_pitches < self._search.min_unique_pitches else ""

    def decode(self, events: Events, qpm: float = 120.0) -> Any:
        """The NoteSequence of a melody, velocity 100, program 0, beginning at 0 s."""
        return melodies_lib.Melody(_to_values(events).tolist()).to_sequence(qpm=qpm)

    def primer(self, melody_events: Sequence[int]) -> tuple[Events, int]:
        """(event classes, semitones it was moved by) of a primer in Magenta's melody events.

        The primer is moved to C and into the range that the model knows, as Magenta does;
        what is generated from it is moved back.

        Raises:
          ValueError: an event out of range, or no note in it.
        """
        if not any(event >= 0 for event in melody_events):
            raise ValueError(f"the primer melody {list(melody_events)} has no note; try [60]")
        for event in melody_events:
            if not _NO_EVENT <= event <= constants.MAX_MIDI_PITCH:
                raise ValueError(
                    f"{event} in the primer melody is no melody event: "
                    "-2 no event, -1 note off, 0..127 note on"
                )
        melody = melodies_lib.Melody(list(melody_events))
        moved_by = melody.squash(MIN_NOTE, MAX_NOTE, TRANSPOSE_TO_KEY)
        return _to_classes(melody), int(moved_by)

    def transpose(self, sequence: Any, semitones: int) -> Any:
        """Moves every note of a NoteSequence, by octaves back where it leaves MIDI's range."""
        for note in sequence.notes:
            pitch = note.pitch + semitones
            if not 0 <= pitch <= constants.MAX_MIDI_PITCH:
                pitch += -_NUM_KEYS if pitch > constants.MAX_MIDI_PITCH else _NUM_KEYS
            note.pitch = pitch
        return sequence

    def labels(self, events: Events) -> npt.NDArray[np.int64]:
        """Labels, shape [num_steps]: 0..35 pitch, 36 no event, 37 off, 38/39 as 16/32 steps ago."""
        values = _to_values(events)
        steps = np.arange(len(values))
        labels = np.where(values >= 0, values - MIN_NOTE, 0)
        labels[values == _NO_EVENT] = _NOTE_RANGE
        labels[values == _NOTE_OFF] = _NOTE_RANGE + 1
        for index, lookback in enumerate(LOOKBACKS):
            labels[_repeats(values, lookback)] = _NOTE_RANGE + _NUM_SPECIAL + index
        silent_start = (steps < LOOKBACKS[-1]) & (values == _NO_EVENT)
        labels[silent_start] = _NOTE_RANGE + _NUM_SPECIAL + len(LOOKBACKS) - 1
        return labels.astype(np.int64)

    def label_to_event(self, label: int, events: Events) -> int:
        """The event class of a label after `events`; a repeat before the start is no event."""
        repeat = label - _NOTE_RANGE - _NUM_SPECIAL
        if repeat >= 0:
            lookback = LOOKBACKS[repeat]
            return int(events[-lookback]) if len(events) >= lookback else 0
        if label == _NOTE_RANGE + 1:
            return 1
        return 0 if label == _NOTE_RANGE else label + _NUM_SPECIAL

    def inputs(self, events: Events) -> npt.NDArray[np.float32]:
        """Inputs, shape [num_steps, 74].

        Columns: 36 sounding pitch, a note sounds, silence, attack, direction (1, -1 or 0),
        same as 16 and as 32 steps ago, 7 bits of the next step as 1/-1, next step starts a
        bar, 12 best major keys so far, 12 best major keys of the last 3 distinct notes.
        """
        values = _to_values(events)
        steps = np.arange(len(values))
        is_note = values >= 0
        # note_seq reads a note off before the first note as no event.
        is_off = (values == _NOTE_OFF) & (np.cumsum(is_note) > 0)
        last_change = _last_true(is_note | is_off)
        sounds = (last_change >= 0) & is_note[last_change]
        last_other = _last_true(~is_off)
        attack = (last_other >= 0) & is_note[last_other]
        pitch = values[last_change]
        direction, recent_keys = _recent_notes(values, is_note)
        so_far = np.cumsum(_IN_KEY[values % _NUM_KEYS] * is_note[:, None], axis=0)
        counter = ((steps[:, None] + 1) >> np.arange(COUNTER_BITS)) & 1
        one_hot = np.zeros((len(values), _NOTE_RANGE))
        one_hot[steps[sounds], pitch[sounds] - MIN_NOTE] = 1.0
        columns = (
            one_hot,
            sounds,
            ~sounds,
            attack,
            direction,
            *(_repeats(values, lookback) for lookback in LOOKBACKS),
            2.0 * counter - 1.0,
            (steps + 1) % constants.DEFAULT_STEPS_PER_BAR == 0,
            so_far == so_far.max(axis=1, keepdims=True),
            recent_keys == recent_keys.max(axis=1, keepdims=True),
        )
        return np.column_stack(columns).astype(np.float32)


def _passages(quantized: Any, gap: float) -> Iterator[Iterator[Any]]:
    """For each instrument that is no drum, its notes cut where `gap` steps of silence stand.

    A melody ends there anyway. note_seq would look through all notes again for each melody,
    which is quadratic; cut before, it is not.
    """
    empty = type(quantized)()
    empty.CopyFrom(quantized)
    del empty.notes[:]
    by_instrument: dict[int, list[Any]] = {}
    for note in quantized.notes:
        if note.velocity and not note.is_drum:
            by_instrument.setdefault(note.instrument, []).append(note)
    for _, notes in sorted(by_instrument.items()):
        notes.sort(key=lambda note: (note.quantized_start_step, -note.pitch))
        yield _cut(notes, gap, empty)


def _cut(notes: list[Any], gap: float, empty: Any) -> Iterator[Any]:
    first = 0
    for index in range(1, len(notes) + 1):
        ends = index == len(notes)
        if ends or notes[index].quantized_start_step - notes[index - 1].quantized_end_step >= gap:
            passage = type(empty)()
            passage.CopyFrom(empty)
            passage.notes.extend(notes[first:index])
            _end_at_the_next(passage.notes)
            yield passage
            first = index


def _end_at_the_next(notes: Any) -> None:
    """Ends each note where the next begins, as a melody does; or long notes cost their length."""
    for note, following in itertools.pairwise(notes):
        begin = following.quantized_start_step
        if note.quantized_start_step < begin < note.quantized_end_step:
            note.quantized_end_step = begin


def _to_classes(melody: melodies_lib.Melody) -> Events:
    values: Events = np.array(list(melody), dtype=np.int64)
    values[values >= 0] -= MIN_NOTE
    values += _NUM_SPECIAL
    return values


def _to_values(events: Events) -> Events:
    """note_seq's melody events of event classes."""
    values: Events = np.asarray(events, dtype=np.int64) - _NUM_SPECIAL
    values[values >= 0] += MIN_NOTE
    return values


def _last_true(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Index of the last True at or before each step; -1 where there is none yet."""
    last: npt.NDArray[np.int64] = np.maximum.accumulate(np.where(mask, np.arange(len(mask)), -1))
    return last


def _repeats(values: Events, lookback: int) -> npt.NDArray[np.bool_]:
    """Whether each event is the one of `lookback` steps ago."""
    same = np.zeros(len(values), dtype=bool)
    same[lookback:] = values[lookback:] == values[:-lookback]
    return same


def _recent_notes(
    values: Events, is_note: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """(direction of the last step up or down, keys of the last 3 distinct pitches) per step."""
    at_notes = np.flatnonzero(is_note)
    directions = np.zeros(len(at_notes) + 1)
    keys = np.zeros((len(at_notes) + 1, _NUM_KEYS), dtype=np.int64)
    recent: list[int] = []
    direction = 0.0
    for index, pitch in enumerate(values[at_notes].tolist(), start=1):
        if recent and pitch != recent[-1]:
            direction = 1.0 if pitch > recent[-1] else -1.0
        if pitch in recent:
            recent.remove(pitch)
        recent = [*recent, pitch][-3:]
        directions[index] = direction
        keys[index] = _IN_KEY[[note % _NUM_KEYS for note in recent]].sum(axis=0)
    num_so_far = np.cumsum(is_note)
    return directions[num_so_far], keys[num_so_far]
