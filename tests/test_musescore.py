"""The MuseScore reader: agreement with MusicXML, every feature, files, and what is rejected."""

from __future__ import annotations

import io
import re
import time
import zipfile
from typing import Any

import pytest

from corpus import readers
from corpus.readers import guard, musescore
from corpus.readers.musescore import chords as chord_reader
from corpus.readers.musescore.mends import WARNINGS, OwnMend
from corpus.readers.musicxml.chords import is_readable
from corpus.readers.musicxml.mends import Mend
from corpus.readers.results import ReadError, Score
from tests import makers, musicxml_scores
from tests.musescore_scores import (
    MuseScoreWriter,
    MusicXmlWriter,
    events_of,
    heard,
    make,
    read,
)
from tests.musicxml_scores import chords, facts, meters

FOUR_FOUR = "<TimeSig><sigN>4</sigN><sigD>4</sigD></TimeSig>"
PIANO = '<Instrument><Channel><program value="0"/></Channel></Instrument>'
CLARINET = "<Instrument><transposeChromatic>-2</transposeChromatic></Instrument>"
NEXT = '<Spanner type="Tie"><Tie/><next/></Spanner>'
PREVIOUS = '<Spanner type="Tie"><prev/></Spanner>'


def note(pitch: object = 60, kind: str = "quarter", *, before: str = "", inside: str = "") -> str:
    """A <Chord> of one note."""
    return (
        f"<Chord>{before}<durationType>{kind}</durationType><Note>{inside}<pitch>{pitch}</pitch>"
        "</Note></Chord>"
    )


def rest(kind: str = "quarter") -> str:
    return f"<Rest><durationType>{kind}</durationType></Rest>"


def measure(*voices: str, told: str = "") -> str:
    """A measure as from 3.0 on; `told` is its attribute."""
    return f"<Measure{told}>{''.join(f'<voice>{voice}</voice>' for voice in voices)}</Measure>"


def mscx(
    *staves: str, head: str = "", version: str = "4.60", instrument: str = PIANO, after: str = ""
) -> bytes:
    """A score of one part, whose staves hold measures."""
    declared = "<Staff/>" * len(staves)
    written = "".join(f'<Staff id="{n}">{staff}</Staff>' for n, staff in enumerate(staves, 1))
    inside = f"<Division>480</Division>{head}<Part>{declared}{instrument}</Part>{written}{after}"
    inside = inside if version < "2" else f"<Score>{inside}</Score>"
    return f'<museScore version="{version}">{inside}</museScore>'.encode()


def one(body: str, **options: Any) -> Score:
    """The score of one measure, or of several."""
    return read(mscx(body if body.startswith("<Measure") else measure(FOUR_FOUR + body), **options))


def played(score: Score) -> list[tuple[int, float, float]]:
    """(pitch, start, end) in quarter notes at 120 a minute, by time."""
    return sorted(
        ((n.pitch, 2 * n.start_time, 2 * n.end_time) for n in score.sequence.notes),
        key=lambda row: (row[1], row[0]),
    )


def keys(score: Score) -> list[tuple[float, int, int]]:
    return [(2 * k.time, k.key, k.mode) for k in score.sequence.key_signatures]


def mscz(members: dict[str, bytes]) -> bytes:
    return makers.mxl(members)


@pytest.mark.parametrize("version", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_musicxml(seed: int, version: int) -> None:
    """One score, in both formats; MusicXML counts programs from 1, and we do not join its ties."""
    model = make(seed)
    score = read(MuseScoreWriter(model, version, ties=False).write())
    other = musicxml_scores.read(MusicXmlWriter(model).write())
    assert heard(score.sequence) == heard(other.sequence)
    got, expected = facts(score.sequence), facts(other.sequence)
    for differing in ("notes", "source"):
        del got[differing], expected[differing]
    assert got == expected
    assert set(score.warnings) <= {Mend.CHORD_TRANSPOSED, Mend.TRANSPOSED_KEY}
    programs = {(n.part, n.instrument, n.program + 1, n.is_drum) for n in score.sequence.notes}
    same = {(n.part, n.instrument - 1, n.program, n.is_drum) for n in other.sequence.notes}
    if Mend.SHARED_CHANNEL not in other.warnings and all(p[2] < 128 for p in programs):
        assert programs == same


@pytest.mark.parametrize("version", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(20))
def test_tied_notes_are_one(seed: int, version: int) -> None:
    model = make(seed)
    apart = read(MuseScoreWriter(model, version, ties=False).write()).sequence
    joined = read(MuseScoreWriter(model, version).write()).sequence
    voices = [voice for bar in model.bars for staff in bar.staves for voice in staff]
    tied = [event for voice in voices for event in events_of(voice) if event.is_tied_from]
    assert len(apart.notes) - len(joined.notes) == sum(len(event.pitches) for event in tied)
    # No time is lost or won, and notes begin and end where they did.
    lasted = sum(note.end_time - note.start_time for note in apart.notes)
    assert sum(note.end_time - note.start_time for note in joined.notes) == pytest.approx(lasted)
    ends = {(n.part, n.voice, n.pitch, round(n.end_time, 6)) for n in apart.notes}
    starts = {(n.part, n.voice, n.pitch, round(n.start_time, 6)) for n in apart.notes}
    for n in joined.notes:
        assert (n.part, n.voice, n.pitch, round(n.start_time, 6)) in starts
        assert (n.part, n.voice, n.pitch, round(n.end_time, 6)) in ends


def test_ties_lead_over_measures_voices_and_what_is_between() -> None:
    score = one(
        measure(FOUR_FOUR + rest("half") + note(60, "half", inside=NEXT), rest("whole"))
        + measure(rest("half"), note(60, "half", inside=PREVIOUS + NEXT) + note(60, "half"))
        + measure(note(60, inside=PREVIOUS))
    )
    assert played(score) == [(60, 2, 6), (60, 6, 8), (60, 8, 9)]


def test_a_tie_to_nowhere_is_none() -> None:
    score = one(note(60, inside=NEXT) + note(62) + note(60, inside=PREVIOUS))
    assert played(score) == [(60, 0, 1), (62, 1, 2), (60, 2, 3)]


def test_ties_of_old_files_need_no_end() -> None:
    tied = note(60, inside="<Tie></Tie>")
    body = FOUR_FOUR + tied + note(60) + tied + note(62) + note(60)
    for version in ("1.14", "2.06"):
        score = one(f"<Measure>{body}</Measure>", version=version)
        assert played(score) == [(60, 0, 2), (60, 2, 3), (62, 3, 4), (60, 4, 5)]


def test_old_files_round_the_notes_of_tuplets() -> None:
    tuplet = '<Tuplet id="1"><normalNotes>4</normalNotes><actualNotes>7</actualNotes></Tuplet>'
    seventh = note(kind="16th", before="<Tuplet>1</Tuplet>")
    body = FOUR_FOUR + tuplet + seventh * 2 + "<tick>138</tick>" + seventh * 5
    body += "<tick>481</tick>" + note(62)
    score = one(f"<Measure>{body}</Measure>", version="2.06")
    starts = [start for _, start, _ in played(score)]
    assert starts == pytest.approx([index / 7 for index in range(7)] + [1], abs=1e-6)


def test_a_pickup_is_a_short_measure() -> None:
    pickup = measure(FOUR_FOUR + note(), told=' len="1/4"')
    score = one(pickup + measure(note(62, "whole")))
    assert meters(score) == [(0, "1/4"), (1, "4/4")]
    assert played(score) == [(60, 0, 1), (62, 1, 5)]
    assert not score.warnings


def test_measures_begin_where_the_meter_says_though_voices_are_empty() -> None:
    staff = measure(FOUR_FOUR) + measure("", note(62, "half")) + measure(note(64))
    assert played(one(staff)) == [(62, 4, 6), (64, 8, 9)]


def test_staves_share_their_measures() -> None:
    first = measure(FOUR_FOUR + note(), told=' len="1/4"') + measure(rest("measure"))
    second = measure(FOUR_FOUR + note(48)) + measure(note(50, "whole"))
    score = read(mscx(first, second))
    assert played(score) == [(48, 0, 1), (60, 0, 1), (50, 1, 5)]
    assert {(n.part, n.instrument, n.voice) for n in score.sequence.notes} == {(0, 0, 1), (0, 0, 5)}


def test_the_cursor_moves() -> None:
    there = "<location><fractions>1/8</fractions></location>"
    back = "<location><fractions>-3/8</fractions></location>"
    tempo = "<Tempo><tempo>1</tempo></Tempo>"
    score = one(note() + there + note(62) + back + tempo + there * 3 + note(64))
    assert played(score)[:2] == [(60, 0, 1), (62, 2, 4)]  # From 1 on, at half the speed.
    assert [(t.time, t.qpm) for t in score.sequence.tempos] == [(0.5, 60)]


def test_old_files_count_ticks_from_the_start() -> None:
    body = FOUR_FOUR + note(60, "whole")
    second = note(62, "half") + "<tick>2880</tick>" + note(50, "half", before="<track>1</track>")
    staff = f"<Measure>{body}</Measure><Measure>{second}<move>1/4</move>{note(70)}</Measure>"
    score = one(staff, version="2.06")
    assert played(score) == [(60, 0, 4), (62, 4, 6), (70, 5, 6), (50, 6, 8)]
    assert {n.pitch: n.voice for n in score.sequence.notes} == {60: 1, 62: 1, 70: 1, 50: 2}
    coarse = mscx(staff, version="2.06").replace(b"480<", b"960<")
    assert played(read(coarse))[1] == (50, 3, 5)


def test_lengths() -> None:
    body = (
        note(60, before="<dots>2</dots>")
        + note(61, "half", before="<duration>1/16</duration>")  # Half of a tremolo of two.
        + note(62, before='<duration z="1" n="8"/>')
        + "<Rest><durationType>measure</durationType><duration>1/8</duration></Rest>"
        + note(63, "64th")
    )
    assert played(one(body)) == [
        (60, 0, 1.75), (61, 1.75, 2), (62, 2, 2.5), (63, 3, 3.0625),
    ]  # fmt: skip
    values = [(n.numerator, n.denominator) for n in one(body).sequence.notes]
    assert values == [(7, 16), (1, 2), (1, 4), (1, 64)]


def test_tuplets_within_tuplets() -> None:
    triplet = "<Tuplet><normalNotes>2</normalNotes><actualNotes>3</actualNotes></Tuplet>"
    inner = triplet + note(62, "eighth") * 3 + "<endTuplet/>"
    score = one(triplet + note(60) + inner + note(64) + "<endTuplet/>" + note(65))
    starts = [round(start, 6) for _, start, _ in played(score)]
    expected = [0, 2 / 3, 2 / 3 + 2 / 9, 2 / 3 + 4 / 9, 4 / 3, 2]
    assert starts == [round(start, 6) for start in expected]


def test_strange_tuplets_end_where_they_should() -> None:
    tuplet = "<Tuplet><normalNotes>16</normalNotes><actualNotes>{}</actualNotes></Tuplet>"
    for actual in (11, 13, 17, 19, 23, 29, 31):
        body = tuplet.format(actual) + note(60, "16th") * actual + "<endTuplet/>"
        score = one(measure(FOUR_FOUR + body) + measure(note(62)))
        assert played(score)[-2][2] == pytest.approx(4, abs=1e-6)
        assert not score.warnings


def test_grace_notes_and_silent_notes_are_left_out() -> None:
    grace = "".join(note(70, before=f"<{tag}/>") for tag in ("acciaccatura", "grace16after"))
    score = one(grace + note() + note(62, inside="<play>0</play>") + note(64))
    assert played(score) == [(60, 0, 1), (64, 2, 3)]
    assert score.warnings == [Mend.GRACE_NOTES, OwnMend.SILENT_NOTES]


def test_octave_lines_shift_what_is_under_them() -> None:
    line = '<Spanner type="Ottava"><Ottava><subtype>{}</subtype></Ottava><next/></Spanner>'
    end = '<Spanner type="Ottava"><prev/></Spanner>'
    body = line.format("8va") + note() + line.format("15mb") + end + note() + end + note()
    assert [pitch for pitch, _, _ in played(one(body))] == [72, 36, 60]
    hairpin = '<Spanner type="HairPin"><HairPin/></Spanner>'
    assert [pitch for pitch, _, _ in played(one(hairpin + note()))] == [60]


def test_octave_lines_of_old_files() -> None:
    line = '<Ottava id="7"><subtype>{}</subtype></Ottava>'
    body = line.format("8vb") + note() + '<endSpanner id="6"/>' + note() + '<endSpanner id="7"/>'
    staff = f"<Measure>{FOUR_FOUR}{body}{note()}</Measure>"
    assert [p for p, _, _ in played(one(staff, version="2.06"))] == [48, 48, 60]
    first = "<Ottava><subtype>1</subtype><tick>480</tick><tick2>960</tick2></Ottava>"
    first += "<Ottava><subtype>2</subtype><track>4</track><tick2>480</tick2></Ottava>"
    staff = f"<Measure>{FOUR_FOUR}{note() * 3}</Measure>"
    score = read(mscx(staff, staff, version="1.14", head=first))
    assert {n.voice: [] for n in score.sequence.notes}.keys() == {1, 5}
    by_voice = {v: [n.pitch for n in score.sequence.notes if n.voice == v] for v in (1, 5)}
    assert by_voice == {1: [60, 84, 60], 5: [48, 60, 60]}


def test_transposing_instruments_sound_where_they_sound() -> None:
    body = "<KeySig><accidental>2</accidental></KeySig><Harmony><root>16</root></Harmony>" + note()
    score = one(body, instrument=CLARINET, version="3.02")
    assert (played(score), keys(score)) == ([(60, 0, 1)], [(0, 0, 0)])
    assert chords(score) == [(0, "C")]
    assert score.warnings == [Mend.TRANSPOSED_KEY, Mend.CHORD_TRANSPOSED]
    first = one(f"<Measure>{FOUR_FOUR}{body}</Measure>", instrument=CLARINET, version="1.14")
    assert (played(first), keys(first)) == ([(58, 0, 1)], [(0, 0, 0)])


def test_scores_in_concert_pitch() -> None:
    style = "<Style><{0}>1</{0}></Style>"
    body = "<KeySig><accidental>2</accidental></KeySig><Harmony><root>16</root></Harmony>" + note()
    for version, tag in (("3.02", "concertPitch"), ("1.14", "displayInConcertPitch")):
        staff = measure(FOUR_FOUR + body)
        head = style.format(tag)
        score = one(staff, instrument=CLARINET, version=version, head=head)
        assert (played(score), keys(score)) == ([(60, 0, 1)], [(0, 2, 0)])
        assert chords(score) == [(0, "D")]
    plain = mscx(measure(FOUR_FOUR + body), instrument=CLARINET)
    packed = {"a.mscx": plain, "score_style.mss": f"<museScore>{style}</museScore>".encode()}
    assert chords(read(mscz(packed))) == [(0, "C")]
    packed["score_style.mss"] = packed["score_style.mss"].replace(b"{0}", b"concertPitch")
    assert chords(read(mscz(packed))) == [(0, "D")]


def test_an_instrument_may_change() -> None:
    change = f"<InstrumentChange>{CLARINET}</InstrumentChange>"
    harmony = "<Harmony><root>16</root></Harmony>"
    assert chords(one(harmony + note() + change + harmony + note())) == [(0, "D"), (1, "C")]


def test_keys() -> None:
    key = "<KeySig><{0}>{1}</{0}>{2}</KeySig>"
    minor = "<mode>minor</mode>"
    score = one(
        measure(key.format("concertKey", -3, minor) + FOUR_FOUR + note())
        + measure(key.format("accidental", 4, "") + note())
        + measure(key.format("accidental", 9, "") + note())
        + measure(key.format("accidental", 0, "<custom>1</custom>") + note())
    )
    assert keys(score) == [(0, 0, 1), (4, 4, 0)]
    assert score.warnings == [Mend.ODD_KEY]
    late = measure(FOUR_FOUR + note()) + measure(key.format("concertKey", 1, "") + note())
    assert keys(one(late)) == [(0, 0, 0), (4, 7, 0)]
    listed = '<Staff><keylist><key tick="0" idx="13"/></keylist></Staff>'
    old = mscx(f"<Measure>{FOUR_FOUR}{note()}</Measure>", version="1.14")
    assert keys(read(old.replace(b"<Staff/>", listed.encode()))) == [(0, 3, 0)]


def test_meters_of_one_staff_alone() -> None:
    nine_eight = "<TimeSig><sigN>9</sigN><sigD>8</sigD></TimeSig>"
    stretch = "<stretchN>2</stretchN><stretchD>3</stretchD>"
    stretched = f"<TimeSig><sigN>3</sigN><sigD>4</sigD>{stretch}</TimeSig>"
    first, second = measure(nine_eight + note()), measure(stretched + note(48) * 3)
    score = read(mscx(first + measure(note()), second + measure(note(50))))
    assert played(score)[1:5] == [(60, 0, 1), (48, 1.5, 3), (48, 3, 4.5), (50, 4.5, 6)]
    assert meters(score) == [(0, "9/8")]
    assert meters(read(mscx(second))) == [(0, "9/8")]


def test_meters_of_version_1_stand_in_lists() -> None:
    sigs = "".join(
        f'<sig tick="{tick}"><nom>{nom}</nom><denom>4</denom></sig>'
        for tick, nom in ((0, 1), (480, 3))
    )
    signature = "<TimeSig><subtype>196</subtype></TimeSig>"
    second = f"<Measure>{note(62)}</Measure>"
    staff = f"<Measure>{signature}{note()}</Measure>{second}{second}"
    score = one(staff, version="1.14", head=f"<siglist>{sigs}</siglist>")
    assert played(score) == [(60, 0, 1), (62, 1, 2), (62, 4, 5)]
    assert meters(score) == [(0, "1/4"), (1, "3/4")]
    sums = signature.replace("<subtype>196</subtype>", "<nom1>3</nom1><nom2>2</nom2><den>8</den>")
    assert meters(one(f"<Measure>{sums}{note()}</Measure>", version="1.14")) == [(0, "5/8")]


def test_no_meter_and_odd_meters() -> None:
    score = one(measure(note()) + measure(note()))
    assert (meters(score), score.warnings) == ([(0, "4/4")], [Mend.NO_METER])
    odd = FOUR_FOUR.replace("4<", "0<", 1)
    assert Mend.ODD_METER in one(measure(odd + note())).warnings
    courtesy = measure(FOUR_FOUR + note() + FOUR_FOUR.replace("4<", "3<", 1)) + measure(note())
    assert meters(one(courtesy)) == [(0, "4/4")]


def test_tempos_are_of_all_parts() -> None:
    tempo = "<Tempo><tempo>{}</tempo></Tempo>"
    score = one(tempo.format("1.33333") + note() + tempo.format("x") + tempo.format("1e9") + note())
    assert [t.qpm for t in score.sequence.tempos] == [80]
    assert score.warnings == [Mend.ODD_TEMPO]
    second = measure(FOUR_FOUR + note() + tempo.format("1") + note())
    score = read(mscx(measure(FOUR_FOUR + note() * 2), second))
    assert [(t.time, t.qpm) for t in score.sequence.tempos] == [(0.5, 60)]


def test_drums_are_drums() -> None:
    drums = "<Instrument><useDrumset>1</useDrumset></Instrument>"
    key = "<KeySig><concertKey>3</concertKey></KeySig>"
    line = '<Spanner type="Ottava"><Ottava><subtype>8va</subtype></Ottava></Spanner>'
    score = one(key + line + note(38), instrument=drums)
    assert [(n.pitch, n.is_drum) for n in score.sequence.notes] == [(38, True)]
    assert keys(score) == [(0, 0, 0)]


def test_names_and_programs() -> None:
    named = (
        "<trackName>Track</trackName><Instrument><longName>B<sym>accidentalFlat</sym> Clarinet"
        '</longName><Channel><program value="71"/></Channel><Channel><program value="9"/>'
        "</Channel></Instrument>"
    )
    score = one(note(), instrument=named)
    assert [p.name for p in score.sequence.part_infos] == ["B♭ Clarinet"]
    assert score.sequence.notes[0].program == 71
    score = one(note(), instrument=named.replace("71", "128").replace("longName", "x"))
    assert [p.name for p in score.sequence.part_infos] == ["Track"]
    assert (score.sequence.notes[0].program, score.warnings) == (0, [Mend.BAD_PROGRAM])
    page = "<html><head><style>p {}</style></head><body><p>Oboe</p></body></html>"
    score = one(note(), instrument=f"<Instrument><longName>{page}</longName></Instrument>")
    assert [p.name for p in score.sequence.part_infos] == ["Oboe"]


def test_title_and_composer() -> None:
    tags = '<metaTag name="{}">{}</metaTag>'
    frame = (
        "<VBox><Text><style>{}</style><text><b></b><font size='22'/>A <i>Title</i></text></Text>"
        "<Text><style>{}</style><text>A\nComposer</text></Text></VBox>"
    )
    staff = measure(FOUR_FOUR + note())
    told = tags.format("workTitle", "Work") + tags.format("composer", " Nobody ")
    score = read(mscx(frame.format("Title", "Composer") + staff, head=told))
    assert (score.title, score.composer) == ("Work", "Nobody")
    told = tags.format("workTitle", "Untitled score")
    told += tags.format("composer", "Composer / arranger")
    score = read(mscx(frame.format("title", "composer") + staff, head=told))
    assert (score.title, score.composer) == ("A Title", "A Composer")
    page = "<html-data><html><head><style>p</style></head><body>Old</body></html></html-data>"
    old = f"<VBox><Text><style>2</style>{page}</Text></VBox><Measure>{note()}</Measure>"
    assert read(mscx(old, version="1.14")).title == "Old"
    assert (read(mscx(staff)).title, read(mscx(staff)).composer) == ("", "")


HARMONIES = {
    "<root>14</root>": "C",
    "<root>12</root><name>m7</name><base>14</base>": "Bbm7/C",
    "<harmonyInfo><root>21</root><name>7</name><bass>25</bass></harmonyInfo>": "C#7/E#",
    "<root>13</root><extension>19</extension>": "Fm7",
    "<root>13</root><rootCase>1</rootCase>": "Fm",
    "<name>N.C.</name>": "N.C.",
}


@pytest.mark.parametrize("inside", HARMONIES)
def test_chord_symbols(inside: str) -> None:
    score = one(f"<Harmony>{inside}</Harmony>{note()}")
    assert chords(score) == [(0, HARMONIES[inside])]
    assert not score.warnings


@pytest.mark.parametrize(
    ("name", "figure"),
    {
        "mi7": "m7", "-7": "m7", "MI7": "m7", "Ma7": "maj7", "M7": "maj7", "t7": "maj7",
        "^": "maj7", "o7": "dim7", "ø": "m7b5", "07": "m7b5", "7+": "aug7", "+7": "aug7",
        "7-5": "7(b5)", "m(add9)": "m(add9)", "madd9": "m(add9)", "add9": "(add9)",
        "sus": "sus", "sus2": "sus2", "9sus4": "sus(add7)(add9)", "7(b9,#11)": "7(b9)(#11)",
        "maj7(no3rd)": "maj7(no3)", "7alt": "7(#5)(#9)(#11)", "+M7": "maj7(#5)", "6/9": "6(add9)",
        "m♭5": "dim", "2": "(add2)", "13#11": "13(#11)", "m69": "m6(add9)",
        "mmaj9": "m(maj7)(add9)",
    }.items(),
)  # fmt: skip
def test_ways_of_writing_chords(name: str, figure: str) -> None:
    score = one(f"<Harmony><root>15</root><name>{name}</name></Harmony>{note()}")
    assert chords(score) == [(0, "G" + figure)]
    assert not score.warnings


@pytest.mark.parametrize(
    ("inside", "figures", "warning"),
    [
        ("<root>14</root><name>Lyd</name>", ["C"], Mend.CHORD_KIND),
        ("<root>14</root><name>7(add7)</name>", ["C7"], Mend.CHORD_DEGREE),
        ("<root>14</root><name>maj7sus</name>", ["Cmaj7"], Mend.CHORD_DEGREE),
        ("<root>99</root><name>7</name>", [], Mend.BAD_CHORD),
        ("<harmonyType>1</harmonyType><name>viio6</name>", [], Mend.BAD_CHORD),
    ],
)
def test_chords_that_are_not_usual(inside: str, figures: list[str], warning: str) -> None:
    score = one(f"<Harmony>{inside}</Harmony>{note()}")
    assert [text for _, text in chords(score)] == figures
    assert score.warnings == [warning]


@pytest.mark.parametrize("number", chord_reader._BY_NUMBER)
def test_the_chord_list_of_version_1_is_readable(number: int) -> None:
    kind = chord_reader._kind(chord_reader._BY_NUMBER[number])
    assert is_readable("C" + kind.figure)
    assert not kind.mends


def test_chord_symbols_of_fret_diagrams_and_on_one_note() -> None:
    diagram = "<FretDiagram><Harmony><root>14</root></Harmony></FretDiagram>"
    second = "<Harmony><root>15</root></Harmony>"
    score = one(diagram + second + note(60, "whole"))
    assert chords(score) == [(0, "C"), (2, "G")]
    assert score.warnings == [Mend.SPREAD_CHORDS]


def test_what_stands_for_other_measures_is_not_played() -> None:
    several = "<Measure len='8/4'><multiMeasureRest>2</multiMeasureRest><voice>{}</voice></Measure>"
    empty = measure(rest("measure"))
    score = one(
        measure(FOUR_FOUR + note()) + empty + several.format(rest("measure")) + empty
        + measure(note(62)) + measure("<MeasureRepeat><durationType>measure</durationType>"
        "</MeasureRepeat>" + note(65)) + measure(note(64))
    )  # fmt: skip
    assert played(score)[:2] == [(60, 0, 1), (62, 12, 13)]
    assert score.warnings == [OwnMend.MEASURE_REPEATS, OwnMend.OVERFULL_MEASURE]


def test_repeats_are_not_unfolded() -> None:
    body = f"<startRepeat/><endRepeat>2</endRepeat><voice>{FOUR_FOUR}{note()}</voice>"
    jump = "<Jump><jumpTo>start</jumpTo></Jump>"
    score = one(f"<Measure>{jump}{body}</Measure>" + measure(note(62)))
    assert played(score) == [(60, 0, 1), (62, 4, 5)]


def test_scores_of_single_players_are_passed_over() -> None:
    staff = measure(FOUR_FOUR + note())
    excerpt = mscx(staff).decode().partition(">")[2].removesuffix("</museScore>")
    assert len(read(mscx(staff, after=excerpt)).sequence.notes) == 1
    members = {
        "META-INF/container.xml": b"<rootfile full-path='Excerpts/1/a.mscx'/>",
        "Excerpts/1/a.mscx": mscx(measure(FOUR_FOUR + note(50))),
        "Piece.mscx": mscx(staff),
        "Thumbnails/thumbnail.png": b"\x89PNG",
    }
    assert played(read(mscz(members))) == [(60, 0, 1)]


def test_several_parts() -> None:
    staff = '<Staff id="{}">' + measure(FOUR_FOUR + note("{}")) + "</Staff>"
    parts = "<Part><Staff id='2'/></Part><Part><Staff id='1'/></Part>"
    inside = parts + staff.format(1, 61) + staff.format(2, 62) + staff.format(3, 63)
    score = read(f"<museScore version='3.02'><Score>{inside}</Score></museScore>".encode())
    assert {n.pitch: (n.part, n.instrument) for n in score.sequence.notes} == {
        61: (1, 1), 62: (0, 0), 63: (2, 2),
    }  # fmt: skip
    assert score.warnings == [OwnMend.STRAY_STAVES]


def test_the_file_says_what_it_is() -> None:
    data = mscx(measure(FOUR_FOUR + note()))
    packed = mscz({"a.mscx": data})
    for name, content in (("a.MSCX", data), ("a.mscz", packed), ("b.mscx.gz", data)):
        (score,) = readers.read_score(content, name, "test")
        assert (score.media, score.reason) == ("musescore", "")
        assert score.note_sequence().id.startswith("/id/musescore/test/")
    # What is inside counts, not the name.
    (score,) = readers.read_score(mscz({"a.mscx": data}), "a.mscx", "test")
    assert score.payload


def test_the_guard_reads_it() -> None:
    data = mscx(measure(FOUR_FOUR + note()))
    with guard.GuardedReader(max_memory_mb=512, max_seconds=20) as reader:
        (score,) = reader.read(readers.prepare(data, "a.mscx"))
    assert score.payload
    assert score.media == "musescore"


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
STAFF = measure(FOUR_FOUR + note())
TRUNCATED_ZIP = mscz({"a.mscx": mscx(STAFF)})[:-30]
HOSTILE = {
    "entities": (BOMB.encode() + mscx(STAFF).replace(b"480", b"&b;"), "unsafe_xml"),
    "entities in UTF-16": (
        f'<?xml version="1.0" encoding="UTF-16"?>{BOMB}{mscx(STAFF).decode()}'.encode("utf-16"),
        "unsafe_xml",
    ),
    "an entity from outside": (
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + mscx(STAFF), "unsafe_xml",
    ),
    "another root": (b"<score-partwise/>", "not_musescore"),
    "no XML": (b"hello", "damaged_xml"),
    "a cut ZIP": (TRUNCATED_ZIP, "damaged_archive"),
    "no score in the ZIP": (mscz({"a.mss": b"<museScore/>"}), "damaged_archive"),
    "only excerpts in the ZIP": (mscz({"Excerpts/a.mscx": mscx(STAFF)}), "damaged_archive"),
    "a ZIP in a ZIP": (mscz({"a.mscx": mscz({"a.mscx": mscx(STAFF)})}), "damaged_archive"),
    "a ZIP bomb": (mscz({"a.mscx": b" " * (3 << 20)}), "too_big"),
    "a crowd": (mscz({f"{i}.mscx": b"x" for i in range(2100)}), "too_big"),
    "no score": (b'<museScore version="4.60"/>', "no_notes"),
    "no staves": (b'<museScore version="4.60"><Score><Part/></Score></museScore>', "no_notes"),
    "no notes": (mscx(measure(rest())), "no_notes"),
    "too many parts": (b"<museScore>" + b"<Part/>" * 1025 + b"</museScore>", "too_big"),
    "far away": (
        mscx(f"<Measure>{FOUR_FOUR}<tick>999999999999</tick>{note()}</Measure>", version="2.06"),
        "too_long",
    ),
    "endless": (mscx(measure(FOUR_FOUR + note(), told=' len="25000/1"') * 20), "too_long"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_rejected(name: str) -> None:
    data, reason = HOSTILE[name]
    (score,) = readers.read_score(data, "a.mscz", "test")
    assert score.reason == reason
    assert re.match(r"\w+", score.detail)


def test_names_in_archives_lead_nowhere() -> None:
    for name in ("../../up.mscx", "/root.mscx", "C:\\a.mscx", "a/../../b.mscx"):
        assert played(read(mscz({name: mscx(STAFF)}))) == [(60, 0, 1)]


DAMAGED: dict[str, tuple[bytes, list[tuple[int, float, float]], list[str]]] = {
    "cut in a measure": (mscx(STAFF + measure(note(62)))[:-60], [(60, 0, 1)], [Mend.TRUNCATED]),
    "a tag is lost": (
        mscx(STAFF).replace(b"</voice>", b"</vioce>"), [(60, 0, 1)], [Mend.DAMAGED],
    ),
    "huge lengths": (
        mscx(measure(FOUR_FOUR + note(), told=' len="999999999/1"')), [(60, 0, 1)],
        [Mend.BAD_DURATION],
    ),
    "negative lengths": (
        mscx(measure(FOUR_FOUR + note(before="<duration>-1/4</duration>") + note(62))),
        [(62, 0, 1)], [Mend.BAD_DURATION],
    ),
    "no length": (mscx(measure(FOUR_FOUR + note(kind="x") + note(62))), [(62, 0, 1)],
                  [Mend.BAD_DURATION]),
    "far back": (
        mscx(measure(FOUR_FOUR + "<location><fractions>-9/1</fractions></location>" + note())),
        [(60, 0, 1)], [Mend.BACKUP],
    ),
    "pitches out of range": (
        mscx(measure(FOUR_FOUR + note(128) + note(-1) + note("9" * 5000) + note("") + note(62))),
        [(62, 4, 5)], [OwnMend.OVERFULL_MEASURE, Mend.BAD_PITCH],
    ),
    "tuplets of nothing": (
        mscx(measure(FOUR_FOUR + "<Tuplet><normalNotes>0</normalNotes><actualNotes>-1"
                     "</actualNotes></Tuplet><endTuplet/><endTuplet/>" + note())),
        [(60, 0, 1)], [],
    ),
    "huge numbers": (
        mscx(measure(FOUR_FOUR + f"<Chord><dots>{'9' * 99}</dots><durationType>quarter"
                     "</durationType><Note><pitch>60</pitch></Note></Chord>")).replace(
            b"480", b"9" * 99),
        [(60, 0, 1)], [],
    ),
    "no parts": (mscx(STAFF).replace(b"Part>", b"Trap>"), [(60, 0, 1)], [OwnMend.STRAY_STAVES]),
    "a division of nothing": (mscx(STAFF).replace(b"480", b"0"), [(60, 0, 1)], []),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_mended(name: str) -> None:
    data, notes, warnings = DAMAGED[name]
    score = read(data)
    assert played(score) == notes
    assert score.warnings == [str(warning) for warning in warnings]


SLOW = {
    "deep": b"<Tuplet>" * 100_000,
    "deep voices": b"<voice><Chord>" * 100_000,
    "tuplets": 20_000
    * b"<Tuplet><normalNotes>997</normalNotes><actualNotes>991</actualNotes></Tuplet>",
    "many tuplets": b"".join(
        b"<Tuplet><normalNotes>2</normalNotes><actualNotes>%d</actualNotes></Tuplet>%b<endTuplet/>"
        % (n % 1000, note(60, "1024th").encode())
        for n in range(10_000)
    ),
    "ties": note(60, inside=PREVIOUS + NEXT).encode() * 20_000,
    "ties on one tick": b"<location><fractions>-1/4</fractions></location>".join(
        [note(60, inside=PREVIOUS + NEXT).encode()] * 10_000
    ),
    "signs": b"<Spanner type='Ottava'><Ottava/></Spanner>" * 40_000,
    "chords": b"<Harmony><root>14</root><name>7#9b5</name></Harmony>" * 20_000,
    "measures": b"</voice></Measure><Measure><voice>" * 40_000,
}  # fmt: skip


@pytest.mark.parametrize("name", SLOW)
def test_ends_in_linear_time(name: str) -> None:
    data = mscx(measure(FOUR_FOUR + note() + "HERE" + note())).replace(b"HERE", SLOW[name])
    started = time.process_time()
    (score,) = readers.read_score(data, "a.mscx", "test")
    assert time.process_time() - started < 4
    assert score.payload or score.reason


def test_what_stands_far_behind_the_end_does_no_harm() -> None:
    far = (
        "<tick>999999999999</tick><Tempo><tempo>2</tempo></Tempo><Harmony><root>14</root></Harmony>"
    )
    for version in ("1.14", "2.06"):
        staff = f"<Measure>{FOUR_FOUR}{note()}{far}</Measure>"
        assert played(one(staff, version=version)) == [(60, 0, 1)]


def test_too_many_notes() -> None:
    body = "".join(f"<Note><pitch>{p}</pitch></Note>" for p in range(128)) * 50
    chord = f"<Chord><durationType>quarter</durationType>{body}</Chord>"
    with pytest.raises(ReadError, match="too_big"):
        musescore.read(mscx(measure(FOUR_FOUR + chord * 40)))


def test_every_mend_has_words() -> None:
    assert set(OwnMend) <= set(WARNINGS)
    for slug, words in WARNINGS.items():
        assert re.fullmatch(r"[a-z_]+", slug)
        assert words


def test_a_zip_that_needs_a_password_is_damaged() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.mscx", mscx(STAFF))
    data = bytearray(buffer.getvalue())
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    (score,) = readers.read_score(bytes(data), "a.mscz", "test")
    assert score.reason == "damaged_archive"
    assert ".mscz" in score.detail
