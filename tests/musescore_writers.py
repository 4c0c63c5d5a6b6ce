"""Writes a model of a score as a file of MuseScore of any version, and as MusicXML."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tests.musescore_scores import (
    CHORDS,
    DIVISIONS,
    TYPES,
    Bar,
    Event,
    Model,
    Part,
    Tuplet,
    Voice,
    events_of,
)

_STEPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_LINE = "FCGDAEB"


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
