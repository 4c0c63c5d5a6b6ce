"""MusicXML scores made in memory, and what can be seen of them once they are read."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from fractions import Fraction
from typing import Any

from note_seq import musicxml_parser, musicxml_reader

from corpus.readers import musicxml
from corpus.readers.musicxml.chords import is_readable
from corpus.readers.results import Score

FOUR_FOUR = "<time><beats>4</beats><beat-type>4</beat-type></time>"
C_MAJOR = "<key><fifths>0</fifths></key>"
BACK = "<backup><duration>{}</duration></backup>"
FAST = '<direction><sound tempo="240"/></direction>'
PLAYERS = (
    '<score-part id="P0"><part-name>Oboe</part-name><midi-instrument id="I"><midi-channel>1'
    "</midi-channel><midi-program>69</midi-program></midi-instrument></score-part>"
    '<score-part id="P1"><part-name/><midi-instrument id="J"><midi-channel>2'
    "</midi-channel><midi-program>1</midi-program></midi-instrument></score-part>"
)


def note(pitch: str = "C4", duration: object = 4, *, before: str = "", after: str = "") -> str:
    """A <note>; divisions are 4, so a duration of 4 is a quarter note."""
    step, octave = pitch[0], pitch[-1]
    alter = {"#": "<alter>1</alter>", "b": "<alter>-1</alter>"}.get(pitch[1], "")
    length = "" if duration is None else f"<duration>{duration}</duration>"
    sound = f"<pitch><step>{step}</step>{alter}<octave>{octave}</octave></pitch>"
    return f"<note>{before}{sound}{length}{after}</note>"


def rest(duration: int) -> str:
    return f"<note><rest/><duration>{duration}</duration></note>"


def harmony(root: str = "C", kind: str = "major", *, text: str = "", rest: str = "") -> str:
    printed = f' text="{text}"' if text else ""
    return (
        f"<harmony><root><root-step>{root}</root-step></root><kind{printed}>{kind}</kind>"
        f"{rest}</harmony>"
    )


def attributes(inside: str = C_MAJOR + FOUR_FOUR, *, divisions: str = "4") -> str:
    unit = f"<divisions>{divisions}</divisions>" if divisions else ""
    return f"<attributes>{unit}{inside}</attributes>"


def xml(*parts: str | list[str], listed: str = "", start: str | None = None) -> bytes:
    """A part-wise score; a part is a list of measures, or the one measure it has."""
    start = attributes() if start is None else start
    bodies = []
    for index, part in enumerate(parts):
        measures = [part] if isinstance(part, str) else part
        body = "".join(
            f'<measure number="{number}">{start if number == 1 else ""}{measure}</measure>'
            for number, measure in enumerate(measures, 1)
        )
        bodies.append(f'<part id="P{index}">{body}</part>')
    return (
        f"<score-partwise><part-list>{listed}</part-list>{''.join(bodies)}</score-partwise>"
    ).encode()


def read(data: bytes) -> Score:
    """The one score of a file, with its NoteSequence."""
    (score,) = musicxml.read(data)
    score.sequence = score.note_sequence()
    return score


def note_seq_reads(data: bytes) -> Any:
    """What note_seq makes of the text."""

    class Document(musicxml_parser.MusicXMLDocument):  # type: ignore[misc]
        @staticmethod
        def _get_score(filename: Any) -> Any:
            return filename

    return musicxml_reader.musicxml_to_sequence_proto(Document(ET.fromstring(data)))


def facts(sequence: Any) -> dict[str, Any]:
    """Everything that must agree; meters as fractions, since 2/4 and 1/2 are one length."""

    def at(time: float) -> float:
        return round(time, 6)

    return {
        "notes": Counter(
            (
                n.part,
                n.instrument,
                n.program,
                n.voice,
                n.pitch,
                n.velocity,
                n.is_drum,
                at(n.start_time),
                at(n.end_time),
            )
            for n in sequence.notes
        ),
        "tempos": [(at(t.time), t.qpm) for t in sequence.tempos],
        "meters": [
            (at(t.time), Fraction(t.numerator, t.denominator)) for t in sequence.time_signatures
        ],
        "keys": {(at(k.time), k.key, k.mode) for k in sequence.key_signatures},
        "chords": {(at(a.time), a.text, a.annotation_type) for a in sequence.text_annotations},
        "parts": [(p.part, p.name) for p in sequence.part_infos],
        "total": at(sequence.total_time),
        "source": sequence.source_info.SerializeToString(),
        "resolution": sequence.ticks_per_quarter,
    }


def pitches(score: Score) -> list[int]:
    return [n.pitch for n in score.sequence.notes]


def onsets(score: Score) -> list[float]:
    return [n.start_time for n in score.sequence.notes]


def chords(score: Score) -> list[tuple[float, str]]:
    """(beat at 120 quarter notes a minute, figure)."""
    return [(2 * a.time, a.text) for a in score.sequence.text_annotations]


def meters(score: Score) -> list[tuple[float, str]]:
    signatures = score.sequence.time_signatures
    return [(2 * t.time, f"{t.numerator}/{t.denominator}") for t in signatures]


def unpitched(
    inside: str = "<display-step>C</display-step><display-octave>5</display-octave>",
) -> str:
    return f"<note><unpitched>{inside}</unpitched><duration>4</duration></note>"


def transposed(by: str, body: str) -> bytes:
    return xml(body, start=attributes(C_MAJOR + FOUR_FOUR + f"<transpose>{by}</transpose>"))


def timed(time: str, *durations: int) -> bytes:
    """Measures of one note each, under this <time>."""
    return xml([note(duration=d) for d in durations], start=attributes(f"<time>{time}</time>"))


def keyed(key: str) -> bytes:
    return xml(note(duration=16), start=attributes(f"<key>{key}</key>"))


def keys(score: Score) -> list[tuple[int, bool]]:
    return [(k.key, k.mode == k.MINOR) for k in score.sequence.key_signatures]


def tempos(score: Score) -> list[tuple[float, float]]:
    return [(t.time, t.qpm) for t in score.sequence.tempos]


def check_sound(sequence: Any) -> None:
    """What every NoteSequence must be, whatever its score was."""
    for n in sequence.notes:
        assert 0 <= n.pitch < 128
        assert 1 <= n.velocity < 128
        assert 0 <= n.program < 128
        assert 0 <= n.start_time <= n.end_time <= sequence.total_time + 1e-6
    assert all(t.numerator > 0 and t.denominator > 0 for t in sequence.time_signatures)
    assert all(is_readable(a.text) and a.time >= 0 for a in sequence.text_annotations)
    assert all(t.qpm > 0 for t in sequence.tempos)


WHOLE = note(duration=16)
