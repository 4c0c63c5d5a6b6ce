"""Scores made in memory, written as MuseScore files of any version, and as MusicXML."""

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


class MuseScoreWriter:
    """Writes a model as a file of MuseScore 1, 2, 3 or 4."""

    def __init__(self, model: Model, version: int, *, ties: bool = True) -> None:
        self._model = model
        self._version = version
        self._ties = ties
        self._ids = 0
        self._open: dict[tuple[int, bool], int] = {}  # (pitch, second voice) -> id of a tie
        self._tick = Fraction(0)

    def write(self) -> bytes:
        """The file."""
        staves, number = [], 0
        for part in self._model.parts:
            for _ in range(part.num_staves):
                staves.append(self._staff(part, number))
                number += 1
        score = "<Division>480</Division>" + self._parts() + "".join(staves)
        if self._version > 1:
            score = f"<Score>{score}</Score>"
        label = {1: "1.14", 2: "2.06", 3: "3.02", 4: "4.60"}[self._version]
        return f'<museScore version="{label}">{score}</museScore>'.encode()

    def _parts(self) -> str:
        parts, number = [], 0
        for index, part in enumerate(self._model.parts):
            staves = ""
            for _ in range(part.num_staves):
                number += 1
                staves += f'<Staff id="{number}"/>' if self._version in (2, 3) else "<Staff/>"
            parts.append(
                f"<Part>{staves}<Instrument><longName>Part {index}</longName><transposeChromatic>"
                f'{part.chromatic}</transposeChromatic><Channel><program value="{part.program}"/>'
                "</Channel></Instrument></Part>"
            )
        return "".join(parts)

    def _staff(self, part: Part, number: int) -> str:
        self._open.clear()
        measures, start = [], Fraction(0)
        for bar in self._model.bars:
            head = self._head(part, bar)
            if self._version < 3:
                body = head + self._voices_by_tick(part, bar.staves[number], start)
            else:
                voices = [self._voice(part, voice) for voice in bar.staves[number]]
                voices[0] = head + voices[0]
                body = "".join(f"<voice>{voice}</voice>" for voice in voices)
            told = (
                f' len="{bar.length}"' if bar.length.denominator > 1 else f' len="{bar.length}/1"'
            )
            measures.append(f"<Measure{told if bar.is_irregular else ''}>{body}</Measure>")
            start += bar.length
        return f'<Staff id="{number + 1}">{"".join(measures)}</Staff>'

    def _voices_by_tick(self, part: Part, voices: list[Voice], start: Fraction) -> str:
        body = ""
        for number, voice in enumerate(voices):
            tick = f"<tick>{start * 4 * 480}</tick>" if number else ""
            body += tick + self._voice(part, voice, f"<track>{number}</track>" if number else "")
        return body

    def _head(self, part: Part, bar: Bar) -> str:
        head = ""
        if bar.fifths is not None:
            written = bar.fifths + part.fifths
            head += {
                1: f"<KeySig><subtype>{written & 15}</subtype></KeySig>",
                4: f"<KeySig><concertKey>{bar.fifths}</concertKey></KeySig>",
            }.get(self._version, f"<KeySig><accidental>{written}</accidental></KeySig>")
        if bar.meter is not None:
            above, below = bar.meter
            head += (
                f"<TimeSig><den>{below}</den><nom1>{above}</nom1></TimeSig>"
                if self._version == 1
                else f"<TimeSig><sigN>{above}</sigN><sigD>{below}</sigD></TimeSig>"
            )
        if bar.tempo is not None:
            head += f"<Tempo><tempo>{bar.tempo / 60:.6g}</tempo></Tempo>"
        return head

    def _voice(self, part: Part, voice: Sequence[Event | Tuplet], inside: str = "") -> str:
        text = ""
        for each in voice:
            if isinstance(each, Event):
                text += self._event(part, each, inside)
                continue
            told = (
                f"<normalNotes>{each.normal}</normalNotes><actualNotes>{each.actual}</actualNotes>"
                f"<baseNote>{each.base}</baseNote>"
            )
            if self._version < 3:
                self._ids += 1
                text += f'<Tuplet id="{self._ids}">{inside}{told}</Tuplet>'
                track = inside.partition("<Tuplet>")[0]
                text += self._voice(part, each.inside, f"{track}<Tuplet>{self._ids}</Tuplet>")
            else:
                text += f"<Tuplet>{told}</Tuplet>{self._voice(part, each.inside)}<endTuplet/>"
        return text

    def _event(self, part: Part, event: Event, inside: str) -> str:
        text = ""
        if event.harmony is not None:
            tpc, index = event.harmony
            name, _, _, number = CHORDS[index]
            kind = (
                f"<extension>{number}</extension>" if self._version == 1 else f"<name>{name}</name>"
            )
            told = f"<root>{tpc + part.fifths}</root>{kind}"
            wrapped = f"<harmonyInfo>{told}</harmonyInfo>" if self._version == 4 else told
            text += f"<Harmony>{wrapped}</Harmony>"
        dots = f"<dots>{event.dots}</dots>" if event.dots else ""
        drawn = f"{inside}{dots}<durationType>{event.kind}</durationType>"
        if not event.pitches:
            return f"{text}<Rest>{drawn}</Rest>"
        is_second = "<track>" in inside
        notes = "".join(self._note(part, event, pitch, is_second) for pitch in event.pitches)
        return f"{text}<Chord>{drawn}{notes}</Chord>"

    def _note(self, part: Part, event: Event, pitch: int, is_second: bool) -> str:
        before, after = "", ""
        if self._ties and self._version == 1:
            before += "<Tie></Tie>" if event.is_tied else ""
        elif self._ties and self._version == 2:
            if event.is_tied_from:
                before += f'<endSpanner id="{self._open.pop((pitch, is_second))}"/>'
            if event.is_tied:
                self._ids += 1
                self._open[pitch, is_second] = self._ids
                before += f'<Tie id="{self._ids}"></Tie>'
        elif self._ties:
            where = "<location><fractions>1/4</fractions></location>"
            if event.is_tied:
                before += f'<Spanner type="Tie"><Tie/><next>{where}</next></Spanner>'
            if event.is_tied_from:
                after += f'<Spanner type="Tie"><prev>{where}</prev></Spanner>'
        told = pitch - part.chromatic if self._version == 1 else pitch
        return f"<Note>{before}<pitch>{told}</pitch>{after}</Note>"


class MusicXmlWriter:
    """Writes a model as MusicXML, as MuseScore would export it."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def write(self) -> bytes:
        """The file."""
        listed, parts, first = "", "", 0
        for index, part in enumerate(self._model.parts):
            listed += (
                f'<score-part id="P{index}"><part-name>Part {index}</part-name>'
                f'<midi-instrument id="I{index}"><midi-channel>{index + 1}</midi-channel>'
                f"<midi-program>{part.program + 1}</midi-program></midi-instrument></score-part>"
            )
            measures = "".join(
                f"<measure>{self._measure(part, bar, first)}</measure>" for bar in self._model.bars
            )
            parts += f'<part id="P{index}">{measures}</part>'
            first += part.num_staves
        return f"<score-partwise><part-list>{listed}</part-list>{parts}</score-partwise>".encode()

    def _measure(self, part: Part, bar: Bar, first: int) -> str:
        text = f"<attributes><divisions>{DIVISIONS}</divisions>"
        if bar.fifths is not None:
            text += f"<key><fifths>{bar.fifths + part.fifths}</fifths></key>"
        if bar.meter is not None:
            above, below = bar.meter
            text += f"<time><beats>{above}</beats><beat-type>{below}</beat-type></time>"
        text += f"<transpose><chromatic>{part.chromatic}</chromatic></transpose></attributes>"
        if bar.tempo is not None:
            text += f'<direction><sound tempo="{bar.tempo}"/></direction>'
        voices = [
            (4 * staff + number + 1, voice)
            for staff in range(part.num_staves)
            for number, voice in enumerate(bar.staves[first + staff])
        ]
        back = f"<backup><duration>{bar.length * 4 * DIVISIONS}</duration></backup>"
        return text + back.join(self._voice(part, number, voice) for number, voice in voices)

    def _voice(self, part: Part, number: int, voice: Sequence[Event | Tuplet]) -> str:
        return "".join(self._event(part, number, event) for event in events_of(voice))

    def _event(self, part: Part, number: int, event: Event) -> str:
        text = "" if event.harmony is None else self._harmony(part, *event.harmony)
        length = event.length * 4 * DIVISIONS
        drawn = TYPES[event.kind] * (2 - Fraction(1, 1 << event.dots))
        ratio = event.length / drawn
        rest = (
            f"<duration>{length}</duration><voice>{number}</voice><type>{event.kind}</type>"
            f"{'<dot/>' * event.dots}<time-modification><actual-notes>{ratio.denominator}"
            f"</actual-notes><normal-notes>{ratio.numerator}</normal-notes></time-modification>"
        )
        if not event.pitches:
            return f"{text}<note><rest/>{rest}</note>"
        for index, pitch in enumerate(event.pitches):
            octave, step = divmod(pitch - part.chromatic, 12)
            alter = f"<alter>{len(_STEPS[step]) - 1}</alter>"
            text += (
                f"<note>{'<chord/>' if index else ''}<pitch><step>{_STEPS[step][0]}</step>{alter}"
                f"<octave>{octave - 1}</octave></pitch>{rest}</note>"
            )
        return text

    def _harmony(self, part: Part, tpc: int, index: int) -> str:
        _, kind, degrees, _ = CHORDS[index]
        alter, step = divmod(tpc + part.fifths + 1, 7)
        added = "".join(
            f"<degree><degree-value>{value}</degree-value><degree-alter>{by}</degree-alter>"
            "<degree-type>add</degree-type></degree>"
            for value, by in degrees
        )
        return (
            f"<harmony><root><root-step>{_LINE[step]}</root-step><root-alter>{alter - 2}"
            f"</root-alter></root><kind>{kind}</kind>{added}</harmony>"
        )
