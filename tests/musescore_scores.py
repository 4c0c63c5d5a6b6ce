"""Models of scores made in memory, for `musescore_writers.py`; and what a reader hears of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from corpus.readers import musescore
from corpus.readers.results import Score

TYPES = {
    "whole": Fraction(1), "half": Fraction(1, 2), "quarter": Fraction(1, 4),
    "eighth": Fraction(1, 8), "16th": Fraction(1, 16),
}  # fmt: skip
# Name in MuseScore, kind and added degrees in MusicXML, number in the chord list of 1.x.
CHORDS = (
    ("", "major", (), 1), ("m", "minor", (), 16), ("7", "dominant", (), 64),
    ("maj7", "major-seventh", (), 6), ("m7", "minor-seventh", (), 19), ("+", "augmented", (), 4),
    ("dim", "diminished", (), 33), ("m7b5", "half-diminished", (), 32),
    ("mMaj7", "major-minor", (), 18), ("6", "major-sixth", (), 5), ("m6", "minor-sixth", (), 23),
    ("9", "dominant-ninth", (), 70), ("maj9", "major-ninth", (), 7),
    ("m9", "minor-ninth", (), 20), ("m11", "minor-11th", (), 21), ("13", "dominant-13th", (), 65),
    ("5", "power", (), 40), ("69", "major-sixth", ((9, 0),), 14),
    ("7b9", "dominant", ((9, -1),), 76), ("7sus", "suspended-fourth", ((7, 0),), 128),
    ("7#5", "augmented-seventh", (), 99),
)  # fmt: skip
# Semitones from written to sounding pitch, and by how many sharps more the key is written.
TRANSPOSITIONS = ((0, 0), (-2, 2), (-9, 3), (-7, 1), (-12, 0))
_STEPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_LINE = "FCGDAEB"
DIVISIONS = 10_080


@dataclass
class Event:
    """A chord, or a rest if it has no pitches; `length` is what it lasts, of a whole note."""

    kind: str
    dots: int
    pitches: tuple[int, ...]
    length: Fraction = Fraction(0)
    is_tied: bool = False
    is_tied_from: bool = False
    harmony: tuple[int, int] | None = None  # Tonal pitch class as it sounds, index in CHORDS.


@dataclass
class Tuplet:
    """`actual` notes of a kind in the time of `normal`."""

    actual: int
    normal: int
    base: str
    inside: list[Event | Tuplet]


Voice = list[Event | Tuplet]


@dataclass
class Bar:
    """A measure of all parts: staff after staff the voices of a staff."""

    length: Fraction
    meter: tuple[int, int] | None = None
    is_irregular: bool = False
    fifths: int | None = None
    tempo: int | None = None
    staves: list[list[Voice]] = field(default_factory=list)


@dataclass
class Part:
    num_staves: int
    program: int
    chromatic: int
    fifths: int


@dataclass
class Model:
    """A score."""

    parts: list[Part]
    bars: list[Bar]


def events_of(voice: Sequence[Event | Tuplet]) -> Iterator[Event]:
    """The events of a voice, in and out of tuplets."""
    for each in voice:
        if isinstance(each, Event):
            yield each
        else:
            yield from events_of(each.inside)


def _event(random_: random.Random, kind: str, ratio: Fraction, dots: int = 0) -> Event:
    count = random_.choice((0, 1, 1, 1, 3))
    pitches = tuple(sorted(random_.sample(range(48, 84), count)))
    length = TYPES[kind] * (2 - Fraction(1, 1 << dots)) * ratio
    return Event(kind, dots, pitches, length)


def _tuplet(random_: random.Random, base: str, ratio: Fraction, depth: int = 0) -> Tuplet:
    actual, normal = random_.choice(((3, 2), (5, 4), (7, 4)) if base == "16th" else ((3, 2),))
    inner = ratio * normal / actual
    half = {"quarter": "eighth", "eighth": "16th"}.get(base)
    inside: list[Event | Tuplet] = []
    for _ in range(actual):
        if half and depth == 0 and random_.random() < 0.2:
            # Three in the place of two, each half as long.
            inside.append(_tuplet_of(random_, 3, 2, half, inner))
        else:
            inside.append(_event(random_, base, inner))
    return Tuplet(actual, normal, base, inside)


def _tuplet_of(
    random_: random.Random, actual: int, normal: int, base: str, ratio: Fraction
) -> Tuplet:
    inner = ratio * normal / actual
    return Tuplet(actual, normal, base, [_event(random_, base, inner) for _ in range(actual)])


def _voice(random_: random.Random, length: Fraction) -> Voice:
    """Fills a measure."""
    voice: Voice = []
    left = length
    while left:
        if random_.random() < 0.25:
            base = random_.choice(("quarter", "eighth", "16th"))
            tuplet = _tuplet(random_, base, Fraction(1))
            took = sum((event.length for event in events_of([tuplet])), Fraction(0))
            if took <= left:
                voice.append(tuplet)
                left -= took
                continue
        kind, dots = random_.choice(list(TYPES)), random_.choice((0, 0, 0, 1, 2))
        event = _event(random_, kind, Fraction(1), dots)
        if event.length <= left and (left - event.length).denominator <= 16:
            voice.append(event)
            left -= event.length
    return voice


def _tie(random_: random.Random, bars: list[Bar], staff: int, number: int) -> None:
    """Ties some chords of a voice to the next, which gets their pitches."""
    last: Event | None = None
    for bar in bars:
        if number >= len(bar.staves[staff]):
            last = None
            continue
        for event in events_of(bar.staves[staff][number]):
            if last is not None and last.pitches and random_.random() < 0.2:
                event.pitches, event.is_tied_from, last.is_tied = last.pitches, True, True
            last = event


def make(seed: int) -> Model:
    """A score that is like no other's."""
    random_ = random.Random(seed)
    parts = [
        Part(random_.choice((1, 1, 2)), random_.randrange(128), *random_.choice(TRANSPOSITIONS))
        for _ in range(random_.randint(1, 3))
    ]
    bars: list[Bar] = []
    meter = (4, 4)
    for index in range(random_.randint(2, 6)):
        bar = Bar(Fraction(0))
        if index == 0 or random_.random() < 0.2:
            meter = bar.meter = random_.choice(((4, 4), (3, 4), (6, 8), (2, 2), (5, 8)))
        bar.length = Fraction(*meter)
        if index and bar.meter is None and random_.random() < 0.2:
            bar.length, bar.is_irregular = Fraction(random_.choice((1, 2, 5)), 4), True
        if index == 0 or random_.random() < 0.2:
            bar.fifths = random_.randint(-4, 4)
        if random_.random() < 0.3:
            bar.tempo = random_.choice((60, 72, 90, 144))
        for staff in range(sum(part.num_staves for part in parts)):
            voices = [_voice(random_, bar.length) for _ in range(random_.choice((1, 1, 2)))]
            if staff == 0:
                for event in events_of(voices[0]):
                    if random_.random() < 0.3:
                        event.harmony = random_.randint(9, 20), random_.randrange(len(CHORDS))
            bar.staves.append(voices)
        bars.append(bar)
    for staff in range(len(bars[0].staves)):
        for number in range(2):
            _tie(random_, bars, staff, number)
    return Model(parts, bars)


def read(data: bytes) -> Score:
    """The one score of a MuseScore file, with its NoteSequence."""
    (score,) = musescore.read(data)
    score.sequence = score.note_sequence() if score.payload else score.sequence
    return score


def heard(sequence: Any) -> Counter[tuple[int, int, int, float, float, tuple[int, int]]]:
    """(part, voice, pitch, start, end, value) of the notes."""
    return Counter(
        (
            note.part,
            note.voice,
            note.pitch,
            round(note.start_time, 6),
            round(note.end_time, 6),
            (note.numerator, note.denominator),
        )
        for note in sequence.notes
    )
