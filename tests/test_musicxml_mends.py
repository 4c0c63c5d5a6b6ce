"""Each mend of the MusicXML reader, and scores that are damaged at random."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from corpus.readers.musicxml.mends import WORDS, Mend
from corpus.readers.results import ReadError
from tests import makers
from tests.musicxml_scores import (
    BACK,
    FAST,
    FOUR_FOUR,
    PLAYERS,
    WHOLE,
    attributes,
    check_sound,
    chords,
    harmony,
    keyed,
    keys,
    meters,
    note,
    onsets,
    pitches,
    read,
    tempos,
    timed,
    transposed,
    unpitched,
    xml,
)

# Each mend: a score that needs it, what to look at, and what must be seen.
MENDED: dict[Mend, tuple[bytes, Any, Any]] = {
    Mend.SHARED_CHANNEL: (
        xml(WHOLE, WHOLE),
        lambda s: [n.instrument for n in s.sequence.notes],
        [0, 1],
    ),
    Mend.TRUNCATED: (xml([WHOLE, note("D4", 16), note("E4", 16)])[:-100], pitches, [60, 62]),
    Mend.DAMAGED: (xml([note("C4", 16) + "<broken>", note("D4", 16)]), pitches, [60, 62]),
    Mend.TIMEWISE: (
        b'<score-timewise><measure><part id="A">'
        + note().encode()
        + b'</part><part id="B">'
        + note("D4").encode()
        + b'</part></measure><measure><part id="A">'
        + note("E4").encode()
        + b"</part></measure></score-timewise>",
        lambda s: [(n.part, n.pitch, n.start_time) for n in s.sequence.notes],
        [(0, 60, 0.0), (0, 64, 2.0), (1, 62, 0.0)],
    ),
    Mend.GRACE_NOTES: (
        xml(note(duration=8) + note("D4", None, before="<grace/>") + note("E4", 8)),
        pitches,
        [60, 64],
    ),
    Mend.OCTAVE_SPELLING: (xml(note("Cb4") + note("B#4")), pitches, [59, 72]),
    Mend.OCTAVE_TRANSPOSITION: (
        transposed("<chromatic>-2</chromatic><octave-change>-1</octave-change>", note()),
        pitches,
        [46],
    ),
    Mend.MICROTONES: (
        xml("".join(note("C#4").replace(">1<", f">{a}<") for a in ("0.5", "1.5", "-0.5", "0.7"))),
        pitches,
        [60, 61, 60, 61],
    ),
    Mend.BAD_PITCH: (
        xml(note("Q4") + note("C4") + note("C4").replace("4<", "x<", 1)),
        onsets,
        [0.5],
    ),
    Mend.DRUMS: (
        xml(
            unpitched() + unpitched("") + unpitched().replace("<dur", '<instrument id="X"/><dur'),
            listed='<score-part id="P0"><midi-instrument id="X"><midi-unpitched>43</midi-unpitched>'
            "</midi-instrument></score-part>",
        ),
        lambda s: [(n.pitch, n.is_drum) for n in s.sequence.notes],
        [(38, True), (38, True), (42, True)],
    ),
    Mend.BAD_PROGRAM: (
        xml(WHOLE, listed=PLAYERS.replace(">69<", ">128<")),
        lambda s: [(n.instrument, n.program) for n in s.sequence.notes],
        [(1, 0)],
    ),
    Mend.BAD_CHORD_NOTE: (xml(note(before="<chord/>") + note()), onsets, [0.0, 0.5]),
    Mend.BAD_VOICE: (
        xml(note(after="<voice>alto</voice>")),
        lambda s: s.sequence.notes[0].voice,
        1,
    ),
    Mend.BAD_DURATION: (
        xml("".join(note(duration=d) for d in ("-4", "nan", "1e999", "x", "", "9" * 50, 4))),
        lambda s: s.sequence.total_time,
        0.5,
    ),
    Mend.NO_DURATION: (
        xml(
            note("C4", None, after="<type>half</type><dot/>")
            + note("D4", None)
            + note(
                "E4",
                None,
                after="<type>eighth</type><time-modification><actual-notes>3"
                "</actual-notes><normal-notes>2</normal-notes></time-modification>",
            )
            + '<note><rest measure="yes"/></note>'
            + note("F4", None, after="<type>longa</type>")
        ),
        lambda s: [(n.pitch, round(n.end_time - n.start_time, 4)) for n in s.sequence.notes],
        [(60, 1.5), (64, 0.1667), (65, 8.0)],
    ),
    Mend.NO_DIVISIONS: (
        xml(note(duration=2), start=""),
        lambda s: s.sequence.notes[0].end_time,
        1.0,
    ),
    Mend.BACKUP: (xml(note() + BACK.format(8) + note("D4", 16)), onsets, [0.0, 0.0]),
    Mend.MEASURE_LENGTH: (
        xml([WHOLE + BACK.format(16) + note("E3", 4, after="<voice>2</voice>"), WHOLE]),
        onsets,
        [0.0, 0.0, 2.0],
    ),
    Mend.ODD_METER: (
        timed("<beats>4</beats><beat-type>6</beat-type>", 12, 12),
        meters,
        [(0.0, "3/4")],
    ),
    Mend.SUM_METER: (
        timed(
            "<beats>3+2</beats><beat-type>8</beat-type><beats>1</beats><beat-type>4</beat-type>",
            14,
            14,
        ),
        meters,
        [(0.0, "7/8")],
    ),
    Mend.SENZA_MISURA: (timed("<senza-misura/>", 20, 12), meters, [(0.0, "5/4"), (5.0, "3/4")]),
    Mend.NO_METER: (
        xml([WHOLE, note(duration=6)], start=attributes("")),
        meters,
        [(0.0, "4/4"), (4.0, "3/8")],
    ),
    Mend.ODD_MEASURE: (
        xml([WHOLE, note(duration=17) + note(duration="0.3"), WHOLE]),
        meters,
        [(0.0, "4/4")],
    ),
    Mend.METERS_DIFFER: (
        xml(
            [WHOLE], note(duration=12) + attributes(FOUR_FOUR) + note(), start=attributes(FOUR_FOUR)
        ).replace(b"<beats>4", b"<beats>3", 1),
        lambda s: meters(s)[0],
        (0.0, "3/4"),
    ),
    Mend.MINOR_KEY: (keyed("<fifths>0</fifths><mode>minor</mode>"), keys, [(9, True)]),
    Mend.ODD_KEY: (
        keyed(
            "<key-step>F</key-step><key-alter>1</key-alter>"
            "<key-step>C</key-step><key-alter>1</key-alter>"
        ),
        keys,
        [(2, False)],
    ),
    Mend.TRANSPOSED_KEY: (
        xml(
            [WHOLE, attributes("<key><fifths>5</fifths></key>") + WHOLE],
            start=attributes(
                "<key><fifths>2</fifths></key><transpose><chromatic>-2</chromatic></transpose>"
            ),
        ),
        keys,
        [(0, False), (9, False)],
    ),
    Mend.ODD_TEMPO: (
        xml('<direction><sound tempo="soon"/><sound tempo="-3"/></direction>' + WHOLE),
        tempos,
        [(0.0, 120.0)],
    ),
    Mend.TEMPO_OF_ALL: (xml([WHOLE, FAST + WHOLE], [WHOLE, WHOLE]), onsets, [0.0, 2.0, 0.0, 2.0]),
    Mend.LONE_SOUND: (xml('<sound tempo="60"/>' + WHOLE), tempos, [(0.0, 60.0)]),
    Mend.SPREAD_CHORDS: (
        xml(harmony("C") + harmony("G") + WHOLE),
        chords,
        [(0.0, "C"), (2.0, "G")],
    ),
    Mend.CHORDS_DIFFER: (xml(harmony("C") + WHOLE, harmony("A") + WHOLE), chords, [(0.0, "C")]),
    Mend.CHORD_KIND: (
        xml(
            harmony("C", "Tristan")
            + note()
            + harmony("D", "odd", text="m7♭5")
            + note()
            + harmony("E", "", text="sus4")
            + note()
            + harmony("F", "minor-odd", text="??")
            + note()
        ),
        chords,
        [(0.0, "Cm7b5"), (1.0, "Dm7b5"), (2.0, "Esus4"), (3.0, "Fm")],
    ),
    Mend.CHORD_DEGREE: (
        xml(
            harmony(
                "C",
                "other",
                rest="".join(
                    f"<degree><degree-value>{v}</degree-value><degree-alter>{a}</degree-alter>"
                    f"<degree-type>{t}</degree-type></degree>"
                    for v, a, t in (
                        (3, 0, "add"),
                        (3, 0, "add"),
                        (5, -1, "add"),
                        ("x", 0, "add"),
                        (9, 0, "alter"),
                        (9, 2, "alter"),
                        (1, 0, "subtract"),
                        (6, 0, "?"),
                    )
                ),
            )
            + WHOLE
        ),
        chords,
        [(0.0, "Cped(add3)(b5)(no1)")],
    ),
    Mend.CHORD_TRANSPOSED: (
        transposed(
            "<chromatic>-2</chromatic>",
            harmony("D", "minor", rest="<bass><bass-step>F</bass-step></bass>") + WHOLE,
        ),
        chords,
        [(0.0, "Cm/Eb")],
    ),
    Mend.BAD_CHORD: (
        xml("<harmony><kind>major</kind></harmony>" + harmony("H") + harmony("G") + WHOLE),
        chords,
        [(0.0, "G")],
    ),
}


@pytest.mark.parametrize("mend", list(Mend))
def test_each_mend(mend: Mend) -> None:
    data, look, expected = MENDED[mend]
    score = read(data)
    assert mend.value in score.warnings
    assert look(score) == expected
    assert WORDS[mend]


def test_a_plain_score_has_no_warnings() -> None:
    assert read(makers.musicxml(parts=1)).warnings == []
    assert read(xml([WHOLE, harmony() + WHOLE])).warnings == []


VALUES = (
    "",
    "0",
    "-1",
    "nan",
    "1e999",
    "9" * 400,
    "1.5",
    "Q",
    "3+2",
    "\u0663",
    "2147483648",
    "none",
)
TAGS = (
    "note",
    "harmony",
    "backup",
    "forward",
    "chord",
    "grace",
    "duration",
    "step",
    "beats",
    "kind",
    "divisions",
    "measure",
    "part",
    "key",
    "transpose",
    "unpitched",
    "offset",
    "rest",
)


def mutate(data: bytes, random_numbers: random.Random) -> bytes:
    """The text with a byte, an element's text, an element's name or its tail changed."""
    root = ET.fromstring(data)
    for _ in range(random_numbers.choice((1, 3, 10))):
        element = random_numbers.choice(list(root.iter()))
        match random_numbers.randrange(4):
            case 0:
                element.text = random_numbers.choice(VALUES)
            case 1:
                element.tag = random_numbers.choice(TAGS)
            case 2:
                random_numbers.shuffle(element[:])
                element[:] = element[1:]
            case 3:
                element.append(ET.Element(random_numbers.choice(TAGS)))
    root.tag = "score-partwise"
    text = bytearray(ET.tostring(root))
    if random_numbers.random() < 0.3:
        text[random_numbers.randrange(len(text))] = random_numbers.randrange(256)
    return bytes(text)


def test_mutated_scores_are_read_or_rejected() -> None:
    random_numbers = random.Random(0)
    broken = (Mend.TRUNCATED, Mend.DAMAGED)
    seeds = [data for mend, (data, _, _) in MENDED.items() if mend not in broken]
    num_read = 0
    for _ in range(800):
        data = mutate(random_numbers.choice(seeds), random_numbers)
        try:
            score = read(data)
        except ReadError:
            continue
        num_read += 1
        check_sound(score.sequence)
    assert num_read > 400
