"""What is to be sampled: settings of a user -> a beginning, a length, and how it is played."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from corpus.config import ExamplesConfig, SampleConfig
from corpus.encodings import EncodedExample, Encoding, Events, transpose
from corpus.encodings.piece import Piece
from corpus.encodings.results import Controls
from trainers.sampling import families, primers
from trainers.sampling.grammars import Grammar, PolyphonyGrammar, grammar_of
from trainers.sampling.keys import Key, parse_key
from trainers.sampling.lines import Beginning

_MIDDLE_C, _BASS_DRUM = 60, "[(36,)]"
_TRIAD = (60, 64, 67)
_BACKING = "C G Am F C G F C"  # Magenta's
_MINOR_BACKING = "Cm Gm Ab Fm Cm Gm Fm Cm"
_CHORD_VELOCITY = 50
_SHIFTS, _MOST_SILENCE = 255, 100  # Magenta's performances begin with a shift of 100 steps
_LONGEST_NOTE = 5.0  # seconds, as Magenta has it: a model forgets to end notes
_DEFAULT_CONDITION = 64.0, 1.5  # mean pitch, notes among ten events
_START, _STEP_END, _END = 0, 2, 1


@dataclass(frozen=True, eq=False)
class Plan:
    """A sample to be made.

    Attributes:
      encoding: of the model.
      beginning: see `lines.Beginning`.
      grammar: makes a grammar of this length.
      qpm: tempo.
      finish: what is done to a decoded NoteSequence.
      before: events that stand before what was generated.
    """

    encoding: Encoding
    beginning: Beginning
    grammar: Callable[[], Grammar]
    qpm: float
    finish: Callable[[Any], Any] = lambda sequence: sequence
    before: Events | None = None

    def sequence(self, example: EncodedExample) -> Any:
        """The NoteSequence of a sample.

        Raises:
          ValueError: the events make no sense together.
        """
        if self.before is not None:
            events = np.concatenate([self.before, example.events[1:]])
            example = dataclasses.replace(example, events=events)
        return self.finish(self.encoding.decode(example, self.qpm))


def make_plan(
    encoding: Encoding, examples: ExamplesConfig, settings: SampleConfig, genre: int = 0
) -> Plan:
    """The plan for a model of an encoding.

    Args:
      encoding: which the model reads; examples: how it was opened.
      settings: of the user.
      genre: index of the genre, in a model of several.

    Raises:
      ValueError: a setting is of no use, a primer or a chord is impossible.
    """
    families.check(encoding, settings)
    maker = _Maker(encoding, examples, settings)
    plan = maker.plan()
    begun = plan.grammar().steps_of(_columns(plan.beginning.events))
    if begun >= plan.grammar().num_steps:
        raise ValueError(
            f"the primer takes {begun} of {plan.grammar().num_steps} steps "
            f"({maker.family.steps}); give a shorter one, or more with num_steps"
        )
    return dataclasses.replace(plan, beginning=dataclasses.replace(plan.beginning, genre=genre))


def _columns(events: Events) -> Events:
    return events if events.ndim == 2 else events[:, None]


class _Maker:
    """Makes the plan of one family after the other."""

    def __init__(
        self, encoding: Encoding, examples: ExamplesConfig, settings: SampleConfig
    ) -> None:
        self.encoding, self.examples, self.settings = encoding, examples, settings
        self.family = families.family_of(encoding.name)
        self.key: Key | None = parse_key(settings.key) if settings.key else None
        self.num_steps = settings.num_steps or self.family.num_steps
        if self.num_steps < 2:
            raise ValueError("sample.num_steps is 2 or more; 0 leaves it to the model")
        self.score, self.qpm = None, settings.qpm or primers.DEFAULT_QPM
        if settings.primer_midi:
            self.score, self.qpm = primers.read_primer(settings.primer_midi)

    def plan(self) -> Plan:
        """The plan of the family."""
        makers = {
            families.MELODIES.name: self._melodies,
            families.LEAD_SHEETS.name: self._lead_sheets,
            families.DRUMS.name: self._drums,
            families.POLYPHONY.name: self._polyphony,
            families.PERFORMANCES.name: self._performances,
            families.ABC.name: self._texts,
            families.TEXTS.name: self._texts,
        }
        return makers.get(self.family.name, self._pieces)()

    def _planned(self, events: Events, controls: Controls | None = None, **more: Any) -> Plan:
        return Plan(
            self.encoding,
            Beginning(events, controls or {}),
            lambda: grammar_of(self.encoding, self.num_steps),
            self.qpm,
            **more,
        )

    def _melody(self) -> list[int]:
        """The primer in Magenta's melody events, in its key; a C if there is none."""
        if self.score is not None:
            return primers.melody_of(self.score)
        melody = list(self.settings.primer_melody) or [_MIDDLE_C]
        primers.mono_events(melody)
        if self.key is None:
            return melody
        key = self.key
        return [key.moved([event])[0] if event >= 0 else event for event in melody]

    def _melodies(self) -> Plan:
        model: Any = self.encoding
        melody = self._melody()
        if self.key is None or model.key is None:
            events, moved_by = model.primer(melody)
        else:  # the model knows C major and its relative minor; it is told no key
            from corpus.encodings.melody_search import squash

            up = -self.key.semitones_of_scale
            moved = [event + up if event >= 0 else event for event in melody]
            mono = primers.mono_events(moved)
            events, octaves = squash(mono, model.min_note, model.max_note, None)
            moved_by = up + octaves
        return self._planned(events, finish=lambda sequence: transpose(sequence, -moved_by))

    def _lead_sheets(self) -> Plan:
        model: Any = self.encoding
        is_minor = self.key is not None and self.key.is_minor
        default = _MINOR_BACKING if is_minor else _BACKING
        figures = (self.settings.backing_chords or default).split()
        chords = model.controls_of(figures)["chords"]
        if self.key is not None:
            chords = model.chord_vectors.transpose(chords, self.key.semitones)
        each = self.settings.steps_per_chord
        self.num_steps = self.settings.num_steps or each * len(figures)
        steps = np.arange(self.num_steps) // each % len(figures)
        end = self.num_steps * 60.0 / self.qpm / 4
        return self._planned(
            model.primer(self._melody()), {"chords": chords[steps]},
            finish=lambda sequence: _with_chords(sequence, end, self.settings.render_chords),
        )  # fmt: skip

    def _drums(self) -> Plan:
        if self.score is None:
            text = self.settings.primer_drums or _BASS_DRUM
            return self._planned(primers.drum_events(self.encoding, text))
        return self._planned(primers.encoded(primers.relaxed(self.examples, "drums"), self.score))

    def _performances(self) -> Plan:
        piece = self._piece()
        is_row = isinstance(self.encoding.num_events, tuple)
        if piece is None and is_row:  # an event is a note there, so silence cannot be said
            piece = primers.chord_piece([_MIDDLE_C], self.qpm)
        if piece is None:
            events = np.array([_SHIFTS + max(1, min(_MOST_SILENCE, self.num_steps // 10))])
        else:
            events = primers.encoded(primers.relaxed(self.examples, "performances"), piece)
        return self._planned(events, self._told(), finish=_shortened)

    def _piece(self) -> Piece | None:
        """The primer as a piece of one piano; the key's chord if there is only a key."""
        if self.score is not None:
            return primers.as_one_instrument(self.score)
        if self.settings.primer_melody:
            return primers.melody_piece(self._melody(), self.qpm)
        pitches = self._pitches()
        return primers.chord_piece(pitches, self.qpm) if pitches else None

    def _pitches(self) -> list[int]:
        pitches = list(self.settings.primer_pitches)
        if self.key is None:
            return pitches
        return self.key.moved(pitches or list(_TRIAD))

    def _told(self) -> Controls:
        """The controls of a performance, for all its steps."""
        takes = self.family.takes
        controls: Controls = {}
        if "note_density" not in takes and "pitch_class_histogram" not in takes:
            return controls
        from corpus.encodings import magenta_performance as magenta
        from corpus.encodings import performance_controls as told

        if "note_density" in takes:
            density = self.settings.note_density or told.DEFAULT_NOTES_PER_SECOND
            controls[magenta.DENSITY] = told.density_bins([density], magenta.DENSITY_BOUNDS)
        if "pitch_class_histogram" in takes:
            controls[magenta.HISTOGRAM] = self._histogram()[None]
        if "disable_conditioning" in takes:
            controls[magenta.IS_OFF] = np.array([int(self.settings.disable_conditioning)])
        return controls

    def _histogram(self) -> npt.NDArray[np.float32]:
        """The weights of pitch classes, [12], with a sum of 1."""
        weights = list(self.settings.pitch_class_histogram)
        if not weights and self.key is not None:
            weights = [float(pitch_class in self.key.scale) for pitch_class in range(12)]
            weights[self.key.tonic] = 2.0
        weights = weights or [1.0] * 12
        if len(weights) != 12 or not sum(weights):
            raise ValueError(
                f"pitch_class_histogram has twelve weights, not all 0: {weights}; "
                "C major is [2,0,1,0,1,1,0,1,0,1,0,1]"
            )
        return np.array(weights, np.float32) / np.float32(sum(weights))

    def _condition(self) -> Controls:
        """Deep Symphony's condition, for all steps."""
        from corpus.encodings import deep_symphony

        pitch, density = _DEFAULT_CONDITION
        pitch, density = self.settings.mean_pitch or pitch, self.settings.note_density or density
        if not 50 <= pitch <= 90 or not 1 <= density <= 2:
            raise ValueError(
                f"mean_pitch={pitch:g} and note_density={density:g}: for {self.encoding.name} they "
                "are 50 to 90, and 1 to 2 notes among ten events"
            )
        row = np.zeros(deep_symphony.CONDITION_SIZE, np.float32)
        row[round((pitch - 50.0) / 40.0 * 9.0)] = 1.0
        row[10 + round((density - 1.0) * 9.0)] = 1.0
        row[20:] = self._histogram()
        return {"condition": row[None]}

    def _polyphony(self) -> Plan:
        piece = self._piece()
        primer = np.zeros(0, np.int64)
        if piece is not None:
            found = primers.encoded(primers.relaxed(self.examples, "polyphony"), piece)
            primer = found[(found != _START) & (found != _END)]
        ends = np.flatnonzero(primer == _STEP_END)
        if len(ends) >= self.num_steps:
            raise ValueError(
                f"the primer has {len(ends)} of {self.num_steps} sixteenths; "
                "give a shorter one, or more with num_steps"
            )
        steps = [step[step != _STEP_END] for step in np.split(primer, ends + 1)[:-1]]
        is_heard = self.settings.condition_on_primer
        melody = steps if self.settings.inject_primer_during_generation else []
        length = self.num_steps - (0 if is_heard else len(steps))
        whole = np.concatenate([[_START], primer])
        plan = self._planned(whole if is_heard else whole[:1], before=None if is_heard else whole)
        first = len(steps) if is_heard else 0
        return dataclasses.replace(plan, grammar=lambda: PolyphonyGrammar(length, melody, first))

    def _texts(self) -> Plan:
        encoding = self.encoding
        if self.score is not None:
            return self._planned(
                primers.encoded(primers.relaxed(self.examples, "tunes"), self.score)
            )
        text = self.settings.primer_text
        if self.key is not None:
            letter = self.key.name[0].upper() + self.key.name[1:]
            text = f"[K:{letter}{'m' if self.key.is_minor else ''}]{text}"
        return self._planned(primers.text_events(encoding, text or "\n"))

    def _pieces(self) -> Plan:
        """Encodings that have no start of their own: a note, if there is no primer."""
        controls = self._condition() if self._is_conditioned() else {}
        if (
            self.encoding.name == "zeldic"
            and self.score is None
            and not self.settings.primer_pitches
        ):
            return self._planned(_zeldic_events(self.encoding, self._melody()))
        piece = self._piece()
        if piece is None:
            piece = primers.chord_piece([_MIDDLE_C], self.qpm)
        relaxed = primers.relaxed(self.examples, "")
        needs_violin = "not_chamber" in self.encoding.reasons and self.score is None
        if needs_violin and relaxed.encode(piece).dropped["not_chamber"]:
            pitches = [int(pitch) for pitch in piece.pitch[piece.start == piece.start[0]]]
            piece = primers.chord_piece(pitches, self.qpm, with_violin=True)
        elif self.score is not None:
            piece = self.score
        return self._planned(primers.encoded(relaxed, piece), controls)

    def _is_conditioned(self) -> bool:
        """Whether a Deep Symphony model is told anything."""
        if self.encoding.name != "deep_symphony":
            return False
        if getattr(self.encoding, "beside_size", 0):
            return True
        for name in ("note_density", "mean_pitch", "pitch_class_histogram"):
            if getattr(self.settings, name):
                raise ValueError(f"{name} is of no use: the model was trained without conditions")
        return False


def _zeldic_events(encoding: Encoding, melody: list[int]) -> Events:
    """Magenta's melody events in Zeldic's numbers, in whichever order it has the special ones."""
    words = cast(Any, encoding).tokens(EncodedExample(np.array([128, 129])))
    special = dict(zip(words, (128, 129), strict=True))
    names = {-2: special["-"], -1: special["off"]}
    return np.array([names.get(event, event) for event in melody], np.int64)


def _shortened(sequence: Any) -> Any:
    for note in sequence.notes:
        note.end_time = min(note.end_time, note.start_time + _LONGEST_NOTE)
    return sequence


def _with_chords(sequence: Any, end: float, is_rendered: bool) -> Any:
    """Lead sheets end with their last chord; their chords sound if that is asked for."""
    from note_seq import chords_lib

    sequence.total_time = max(sequence.total_time, end)
    if is_rendered:
        chords_lib.BasicChordRenderer(velocity=_CHORD_VELOCITY).render(sequence)
    return sequence
