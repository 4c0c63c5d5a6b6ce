"""The parts of a beat: which trained models play them, and how they are laid over each other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from corpus import files
from corpus.config import Config, SampleConfig
from corpus.encodings import Encoding
from corpus.encodings.chord_inference import ChordInferenceError, infer_chords
from corpus.encodings.chord_symbols import NO_CHORD, chord_symbol
from corpus.encodings.piece import read_piece
from corpus.layout import Layout
from trainers.bundle import BundleInfo
from trainers.data import ALL_GENRES
from trainers.loading import load_model
from trainers.models.base import SequenceModel
from trainers.sampling import sampler
from trainers.sampling.decoding import Strategy
from trainers.sampling.families import DRUMS, LEAD_SHEETS, MELODIES, family_of
from trainers.sampling.plans import make_plan

MELODY_MODELS = (
    "attention_rnn", "lookback_rnn", "basic_rnn", "mono_rnn", "chord_pitches_improv",
    "attention_improv", "basic_improv", "zeldic",
)  # fmt: skip
DRUM_MODELS = ("drum_kit", "one_drum")
INFERRED, NO_CHORDS = "infer", "none"
QUARTERS_PER_BAR = 4
_MELODY, _CHORDS, _DRUMS = 0, 1, 9  # instruments
_CHORD_VELOCITY, _BASS, _MIDDLE = 60, 36, 48  # where chords lie, MIDI


@dataclass(frozen=True, eq=False)
class Part:
    """A trained model that plays a part.

    Attributes:
      name: what it is filed under; path: of its bundle.
      genre: index of the genre in the model.
    """

    name: str
    path: str
    model: SequenceModel
    encoding: Encoding
    info: BundleInfo
    genre: int

    def sequences(self, settings: SampleConfig, seed: int) -> Iterator[Any]:
        """NoteSequences, `settings.num_outputs` of them."""
        plan = make_plan(self.encoding, self.info.examples_config(), settings, self.genre)
        strategy = Strategy(
            settings.strategy, settings.temperature, settings.top_n, settings.guess_share,
            settings.top_p,
        )  # fmt: skip
        found = sampler.sample(
            self.model, self.encoding, plan.beginning, plan.grammar,
            num_outputs=settings.num_outputs, seed=seed, strategy=strategy,
        )  # fmt: skip
        yield from map(plan.sequence, found)

    @property
    def steps_per_bar(self) -> int:
        """Of its grid; melodies and lead sheets have sixteenths."""
        return int(getattr(self.encoding, "steps_per_quarter", 4)) * QUARTERS_PER_BAR


def find_part(config: Config, genre: str, asked: str, usual: Sequence[str]) -> Part:
    """The model that is asked for, or else the first of the usual ones that the genre has.

    A model of all genres does where the genre has none of its own.

    Raises:
      ValueError: there is none; how to train it is in the message. Or it plays something else.
    """
    place = Layout(config.data)
    for name in [asked] if asked else usual:
        for folder in (genre, ALL_GENRES):
            path = place.bundle(name, folder)
            if not files.exists(path):
                continue
            model, encoding, info = load_model(path)
            if genre in info.genres:
                _check_part(name, encoding, usual)
                which = info.genres.index(genre) if len(info.genres) > 1 else 0
                return Part(name, path, model, encoding, info, which)
    kind = "drums" if usual is DRUM_MODELS else "melodies"
    known = asked or f"{', '.join(usual[:-1])} or {usual[-1]}"
    raise ValueError(
        f"no model that plays {kind} of {genre} is trained ({known}); "
        f"run `make examples train MODEL={asked or usual[0]}` first"
    )


def _check_part(name: str, encoding: Encoding, usual: Sequence[str]) -> None:
    drums = usual is DRUM_MODELS
    fits = family_of(encoding.name).name in (
        (DRUMS.name,) if drums else (MELODIES.name, LEAD_SHEETS.name)
    )
    if not fits and (drums or encoding.name != "zeldic"):
        raise ValueError(
            f"a {name} plays no {'drums' if drums else 'melody'}; take {', '.join(usual)}"
        )


@dataclass(frozen=True)
class Wishes:
    """What is asked for.

    Attributes:
      seconds: about how long; qpm: quarters a minute.
      chords: figures with spaces, INFERRED or NO_CHORDS; a bar each.
      program, chord_program: General MIDI's, from 0.
      num_outputs: how many files.
    """

    seconds: float
    qpm: float
    chords: str
    program: int
    chord_program: int
    num_outputs: int

    @property
    def num_bars(self) -> int:
        """The nearest number of whole bars, one at least."""
        return max(round(self.seconds / self.bar_seconds), 1)

    @property
    def bar_seconds(self) -> float:
        """Of a bar of four quarters."""
        return QUARTERS_PER_BAR * 60.0 / self.qpm

    @property
    def end(self) -> float:
        """Seconds of the whole."""
        return self.num_bars * self.bar_seconds

    @property
    def figures(self) -> list[str]:
        """The chords that are given, none if they are not.

        Raises:
          ValueError: one of them is no chord.
        """
        if self.chords in (INFERRED, NO_CHORDS):
            return []
        found = self.chords.split()
        for figure in found:
            if figure != NO_CHORD:
                chord_symbol(figure)
        return found


def inferred(melody: Any) -> list[tuple[float, str]]:
    """The chords that fit a melody; none where nothing can be inferred."""
    try:
        piece = infer_chords(read_piece(melody.SerializeToString()))
    except (ChordInferenceError, ValueError):
        return []
    return list(zip(piece.chord_times.tolist(), piece.chords, strict=True))


def lay(melody: Any, drums: Any, chords: Sequence[tuple[float, str]], wishes: Wishes) -> Any:
    """One NoteSequence of drums, chords and melody, which ends with the last bar.

    The melody's last note sounds up to there; what reaches beyond is cut.
    """
    whole = type(melody)(ticks_per_quarter=melody.ticks_per_quarter)
    whole.tempos.add(qpm=wishes.qpm)
    whole.time_signatures.add(numerator=QUARTERS_PER_BAR, denominator=4)
    end = wishes.end
    for source, instrument in ((melody, _MELODY), (drums, _DRUMS)):
        for note in source.notes:
            if note.start_time < end:
                added = whole.notes.add()
                added.CopyFrom(note)
                added.end_time = min(note.end_time, end)
                added.instrument = instrument
                added.program = wishes.program if instrument == _MELODY else 0
    last = max(
        (note for note in whole.notes if note.instrument == _MELODY), key=lambda n: n.start_time
    )
    last.end_time = end
    for (begin, figure), (until, _) in itertools.pairwise([*chords, (end, NO_CHORD)]):
        for pitch in voiced(figure) if begin < end else ():
            whole.notes.add(
                start_time=begin, end_time=min(until, end), pitch=pitch, velocity=_CHORD_VELOCITY,
                instrument=_CHORDS, program=wishes.chord_program,
            )  # fmt: skip
    whole.total_time = end
    return whole


def voiced(figure: str) -> list[int]:
    """The MIDI pitches of a chord: its bass, and what is above from the C below the middle one."""
    if figure == NO_CHORD:
        return []
    symbol = chord_symbol(figure)
    above = sorted(set(symbol.pitch_classes or (symbol.root,)))
    return [_BASS + symbol.bass, *(_MIDDLE + pitch_class for pitch_class in above)]
