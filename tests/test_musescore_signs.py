"""The MuseScore reader: keys, meters, tempos, instruments, titles, chord symbols."""

from __future__ import annotations

import pytest

from corpus.readers.musescore import chords as chord_reader
from corpus.readers.musescore.mends import OwnMend
from corpus.readers.musicxml.chords import is_readable
from corpus.readers.musicxml.mends import Mend
from tests.musescore_scores import read
from tests.musescore_texts import (
    FOUR_FOUR,
    keys,
    measure,
    mscx,
    mscz,
    note,
    one,
    played,
    rest,
)
from tests.musicxml_scores import chords, meters


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
