"""The MusicXML reader: agreement with note_seq, chord symbols, files, and what is rejected."""

from __future__ import annotations

import io
import itertools
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
from note_seq import musicxml_parser, sequences_lib

from corpus.readers import musicxml
from corpus.readers.musicxml import mxl, plain
from corpus.readers.musicxml import parts as part_reader
from corpus.readers.musicxml.chords import KINDS, is_readable
from corpus.readers.musicxml.mends import Mend
from corpus.readers.results import ReadError
from tests import makers
from tests.musicxml_scores import (
    BACK,
    C_MAJOR,
    FOUR_FOUR,
    PLAYERS,
    WHOLE,
    attributes,
    check_sound,
    chords,
    facts,
    harmony,
    meters,
    note,
    note_seq_reads,
    onsets,
    pitches,
    read,
    rest,
    xml,
)

SOUND = '<direction><sound tempo="90" dynamics="100"/></direction>'
SAME_AS_NOTE_SEQ = {
    "two parts": xml([note(), note("F#3") * 3], [note("E5", 8) * 2, rest(16)], listed=PLAYERS),
    "tempo and loudness": xml([SOUND + note(duration=16), SOUND.replace("90", "60") + note()]),
    "tempo of zero": xml(SOUND.replace("90", "0") + note(duration=16)),
    "a tie is two notes": xml(note(after='<tie type="start"/>') + note(after='<tie type="stop"/>')),
    "a repeat is played once": xml(
        [note(duration=16) + '<barline><repeat direction="backward"/></barline>', note(duration=16)]
    ),
    "chord notes last as long as the first": xml(
        note(duration=8) + note("E4", 2, before="<chord/>") + note("G4")
    ),
    "two voices": xml(
        note(duration=8)
        + note("D4", 8)
        + "<backup><duration>16</duration></backup>"
        + note("C3", 8, after="<voice>2</voice>")
        + "<forward><duration>8</duration></forward>"
    ),
    "an upbeat in fine divisions": xml([note(), note(duration=16)]),
    "an upbeat in coarse divisions": xml(
        [note(duration=1), note(duration=4)], start=attributes(divisions="1")
    ),
    "a short bar in the middle": xml([note(duration=16), note(duration=6), note(duration=16)]),
    "a bar that is too long": xml([note(duration=16), note(duration=20), note(duration=16)]),
    "a new meter, key and unit": xml(
        [
            note(duration=16),
            attributes(FOUR_FOUR.replace("4<", "3<", 1) + C_MAJOR.replace("0", "-3"), divisions="6")
            + note(duration=18),
        ]
    ),
    "an instrument in B flat": xml(
        note(duration=16),
        start=attributes(
            "<key><fifths>2</fifths></key><transpose><chromatic>-2</chromatic>"
            "</transpose>" + FOUR_FOUR
        ),
    ),
    "chord symbols": xml(
        harmony("B", "minor-seventh")
        + note(duration=8)
        + harmony(
            "F",
            "dominant",
            rest="<bass><bass-step>A</bass-step><bass-alter>-1</bass-alter>"
            "</bass><degree><degree-value>9</degree-value><degree-alter>1</degree-alter>"
            "<degree-type>add</degree-type></degree>",
        )
        + note("D4", 8)
        + harmony(rest="<offset>-4</offset>")
        + harmony("G", "none", rest="<offset>-2</offset>")
    ),
}


@pytest.mark.parametrize("name", SAME_AS_NOTE_SEQ)
def test_agrees_with_note_seq(name: str) -> None:
    score = read(SAME_AS_NOTE_SEQ[name])
    expected = facts(note_seq_reads(SAME_AS_NOTE_SEQ[name]))
    got = facts(score.sequence)
    mended = {Mend.OCTAVE_SPELLING, Mend.MEASURE_LENGTH, Mend.TRANSPOSED_KEY, Mend.SHARED_CHANNEL}
    assert set(score.warnings) <= mended
    assert got == expected


def test_kinds_are_written_as_note_seq_writes_them() -> None:
    theirs = musicxml_parser.ChordSymbol.CHORD_KIND_ABBREVIATIONS
    assert {kind: KINDS[kind] for kind in theirs} == theirs


@pytest.mark.parametrize("kind", [*KINDS, "Neapolitan", "Tristan", "Italian", "other", "strange"])
def test_every_chord_kind_is_readable(kind: str) -> None:
    for root, alter in itertools.product("ACEH", ("", "-1", "2", "-9")):
        symbol = harmony(root, kind, rest="<bass><bass-step>B</bass-step></bass>")
        symbol = symbol.replace("</root>", f"<root-alter>{alter}</root-alter></root>")
        score = read(xml(symbol + note(duration=16)))
        figures = [text for _, text in chords(score)]
        readable = bool(figures) and all(map(is_readable, figures))
        assert readable or Mend.BAD_CHORD in score.warnings
        assert readable == (kind == "none" or (root != "H" and alter != "-9"))


SPREADS: dict[str, tuple[str, str, list[int], int, list[float]]] = {
    "4/4, two": ("4", "4", [16], 2, [0, 2]),
    "4/4, three": ("4", "4", [16], 3, [0, 1, 3]),
    "4/4, four": ("4", "4", [16], 4, [0, 1, 2, 3]),
    "3/4, two": ("3", "4", [12], 2, [0, 2]),
    "6/8, two": ("6", "8", [12], 2, [0, 1.5]),
    "2/2, four": ("2", "2", [16], 4, [0, 1, 2, 3]),
    "a half note, two": ("4", "4", [8, 8], 2, [0, 1]),
    "a quarter note, two": ("4", "4", [4, 4, 4, 4], 2, [0, 0.5]),
    "an eighth note, two": ("4", "4", [2, 2, 4, 8], 2, [0, 0.25]),
}


@pytest.mark.parametrize("name", SPREADS)
def test_chords_on_one_note_are_spread_over_beats(name: str) -> None:
    beats, beat_type, durations, count, expected = SPREADS[name]
    time = f"<time><beats>{beats}</beats><beat-type>{beat_type}</beat-type></time>"
    symbols = "".join(harmony("CDEF"[i]) for i in range(count))
    body = symbols + "".join(note(duration=d) for d in durations)
    got = chords(read(xml(body, start=attributes(time))))
    assert got == [(beat, "CDEF"[i]) for i, beat in enumerate(expected)]


def test_spreading_goes_by_offsets_rests_and_the_next_symbol() -> None:
    late = harmony("G", rest="<offset>12</offset>")
    assert chords(read(xml(harmony() + late + WHOLE))) == [(0.0, "C"), (3.0, "G")]
    three = harmony("C") + harmony("D") + late + WHOLE
    assert chords(read(xml(three))) == [(0.0, "C"), (2.0, "D"), (3.0, "G")]
    assert chords(read(xml(harmony("C") + harmony("D") + rest(16)))) == [(0.0, "C"), (2.0, "D")]
    assert chords(read(xml(harmony("C") + harmony("C") + WHOLE))) == [(0.0, "C")]
    second_bar = [
        rest(4) + note(duration=12),
        rest(4) + harmony("C") + harmony("D") + note(duration=12),
    ]
    assert chords(read(xml(second_bar))) == [(5.0, "C"), (7.0, "D")]
    assert chords(read(xml([WHOLE + harmony("C") + harmony("D"), WHOLE]))) == [
        (4.0, "C"),
        (6.0, "D"),
    ]


def test_a_timewise_score_is_the_partwise_one() -> None:
    bars = [[note("C4", 16), note("D4", 16)], [note("E4", 16), note("F4", 16)]]
    timewise = "".join(
        "<measure>"
        + "".join(
            f'<part id="P{p}">{attributes() if b == 0 else ""}{bars[p][b]}</part>' for p in (0, 1)
        )
        + "</measure>"
        for b in (0, 1)
    )
    data = f"<score-timewise><part-list>{PLAYERS}</part-list>{timewise}</score-timewise>".encode()
    expected = read(xml(*bars, listed=PLAYERS))
    assert read(data).sequence == expected.sequence
    assert len(expected.sequence.notes) == 4


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "iso-8859-1"])
def test_encodings(encoding: str) -> None:
    declared = {"utf-8-sig": "utf-8", "utf-16-le": "utf-16"}.get(encoding, encoding)
    text = makers.musicxml().decode().replace("UTF-8", declared).replace("A Title", "Élan")
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    score = read((mark + text).encode(encoding))
    assert score.title == "Élan"
    assert len(score.sequence.notes) == 4
    assert score.warnings == []


def test_namespaces_comments_and_blank_text_do_not_matter() -> None:
    plain = makers.musicxml()
    spaced = plain.replace(b"><", b"><!-- c -->\n  <?pi x?><")
    named = spaced.replace(b"<score-partwise", b'<score-partwise xmlns="http://m.invalid"')
    assert read(spaced).sequence == read(named).sequence == read(plain).sequence


def test_a_voice_that_is_too_long_does_not_delay_the_next_measure() -> None:
    too_long = note("C3", 20, after="<voice>2</voice>") + BACK.format(20)
    score = read(xml([too_long + WHOLE, WHOLE]))
    assert onsets(score) == [0.0, 0.0, 2.0]
    assert meters(score) == [(0.0, "4/4")]
    assert score.sequence.total_time == 4.0
    last = read(xml([too_long + WHOLE]))
    assert last.sequence.total_time == 2.5


def test_duration_units_of_parts_need_not_agree() -> None:
    parts = [
        note(duration=16) + note(),
        attributes("", divisions="7") + note(duration=28) + note(duration=7),
    ]
    score = read(xml(*parts))
    assert onsets(score) == [0.0, 2.0, 0.0, 2.0]
    odd = attributes("", divisions="2.5") + note(duration="2.5") * 4 + note(duration=1)
    assert onsets(read(xml(odd))) == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0])
    primes = "".join(
        attributes("", divisions=str(p)) + note(duration=p) for p in (9973, 9967, 9949)
    )
    assert onsets(read(xml(primes))) == pytest.approx([0.0, 0.5, 1.0])


def many_tags(tag: str, count: int) -> bytes:
    return xml(f"<{tag}/>" * count)


REJECTED: dict[str, tuple[bytes, str]] = {
    "no XML": (b"\0\xff\xfe", "damaged_xml"),
    "nothing": (b" ", "damaged_xml"),
    "broken off before a measure ends": (xml(WHOLE)[:-60], "damaged_xml"),
    "other XML": (b"<html/>", "not_musicxml"),
    "too deep": (b"<score-partwise>" + b"<a>" * 300 + b"</a>" * 300, "damaged_xml"),
    "too many tags": (many_tags("a", 1_300_000).replace(b"<part ", b"<p>", 1), "too_big"),
    "too many elements": (many_tags("note", 1_000_001), "too_big"),
    "too many attributes": (b"<a " + b'b="" ' * 1_400_000 + b"/>", "too_big"),
    "too many parts": (xml(*["x"] * 1025), "too_big"),
    "a hundred days": (xml([note(duration=300_000)] * 100), "too_long"),
    "an unknown encoding": (
        b'<?xml version="1.0" encoding="nope"?><score-partwise/>',
        "damaged_xml",
    ),
    "entities": (b'<!DOCTYPE a [<!ENTITY x "y">]><score-partwise/>', "unsafe_xml"),
    "entities in UTF-7": (
        b'<?xml version="1.0" encoding="UTF-7"?><!DOCTYPE a [+ADwAIQ-ENTITY x "y">]><a/>',
        "unsafe_xml",
    ),
    "a ZIP that ends": (b"PK\3\4", "damaged_archive"),
    "no score in the ZIP": (makers.mxl({"readme.txt": b"x"}), "damaged_archive"),
    "a ZIP in the ZIP": (
        makers.mxl({"a.xml": makers.mxl({"b.xml": xml(WHOLE)})}),
        "damaged_archive",
    ),
    "a ZIP bomb": (makers.mxl({"a.xml": b" " * (3 << 20)}), "too_big"),
    "a crowd": (makers.mxl({f"{i}.xml": b"x" for i in range(300)}), "too_big"),
}


@pytest.mark.parametrize("name", REJECTED)
def test_what_cannot_be_read_is_rejected(name: str) -> None:
    data, reason = REJECTED[name]
    with pytest.raises(ReadError) as caught:
        musicxml.read(data)
    assert caught.value.reason == reason
    assert caught.value.detail


def test_too_many_notes_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_reader, "MAX_NOTES", 10)
    monkeypatch.setattr(part_reader, "MAX_UNDATED", 3)
    undated = note("C4", None, after="<type>half</type>")
    for allowed in (xml(note() * 5, note() * 5), xml(undated * 3)):
        assert read(allowed).sequence.notes
    for crowd in (xml(note() * 6, note() * 5), xml(rest(4) * 11), xml(undated * 2, undated * 2)):
        with pytest.raises(ReadError, match="too_big"):
            read(crowd)


def test_entities_are_never_expanded(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("SECRET")
    for declaration in (f'<!ENTITY x SYSTEM "{secret}">', f'<!ENTITY % x SYSTEM "{secret}"> %x;'):
        doctype = f"<!DOCTYPE a [{declaration}]>"
        for encoding in ("utf-8", "utf-16"):
            text = makers.musicxml(doctype=doctype).decode().replace("UTF-8", encoding)
            with pytest.raises(ReadError, match="unsafe_xml"):
                read(text.replace("A Title", "&x;").encode(encoding))
    outside = f'<!DOCTYPE score-partwise PUBLIC "-//R//DTD" "{secret}">'
    assert len(read(makers.musicxml(doctype=outside)).sequence.notes) == 4
    undeclared = makers.musicxml(doctype=outside).replace(b"A Title", b"A &x;")
    assert "SECRET" not in read(undeclared).title


def test_an_archive_is_searched_for_its_score() -> None:
    first, second = xml(note("C4")), xml(note("D4"))
    container = b"<container><rootfiles><rootfile full-path='%s'/></rootfiles></container>"
    members = {"__MACOSX/._a.xml": b"x", "a.xml": first, "b/c.MusicXML": second}
    for named, pitch in (
        (b"b/c.MusicXML", 62),
        (b"gone.xml", 60),
        (b"../../etc/passwd", 60),
        (b"'", 60),
    ):
        archive = makers.mxl({"META-INF/container.xml": container % named, **members})
        assert pitches(read(archive)) == [pitch]
    assert pitches(read(makers.mxl({"META-INF/container.xml": b"\xff" * 99, **members}))) == [60]


def test_an_archive_cannot_lie_about_its_size() -> None:
    with pytest.raises(ReadError, match="too_big"):
        mxl.unpack(makers.mxl({"a.xml": random.Random(0).randbytes(70_000)}), 1 << 16)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.xml", xml(note()))
    stored = bytearray(buffer.getvalue())
    at = stored.rindex(b"PK\1\2")
    stored[at + 20 : at + 28] = b"\x08\0\0\0" * 2
    with pytest.raises(ReadError, match=r"damaged_archive|damaged_xml"):
        musicxml.read(bytes(stored))
    stored[at + 8] |= 1  # Says that it is encrypted.
    with pytest.raises(ReadError, match="damaged_archive"):
        musicxml.read(bytes(stored))


def test_a_score_cut_anywhere_is_read_or_rejected() -> None:
    data = xml([harmony() + WHOLE] * 6)
    counts = []
    for end in range(0, len(data), 7):
        try:
            score = read(data[:end])
        except ReadError:
            continue
        # Cut within the very last tag, it is only damaged.
        assert score.warnings in ([Mend.TRUNCATED.value], [Mend.DAMAGED.value])
        counts.append(len(score.sequence.notes))
    assert counts == sorted(counts)
    assert set(counts) == {1, 2, 3, 4, 5, 6}


def quantized_chords_differ(sequence: Any) -> bool:
    """Whether no two different chord symbols of a fragment fall on one step."""
    for fragment in sequences_lib.split_note_sequence_on_time_changes(sequence):
        quantized = sequences_lib.quantize_note_sequence(fragment, 4)
        figures: dict[int, str] = {}
        for chord in quantized.text_annotations:
            if figures.setdefault(chord.quantized_step, chord.text) != chord.text:
                return False
    return True


@pytest.mark.skipif(not makers.SHARED.exists(), reason="needs the shared data")
def test_lead_sheets_keep_their_chords_apart() -> None:
    paths = sorted((makers.SHARED / "leadsheets").rglob("*.mxl"))
    scores = [read(path.read_bytes()) for path in paths]
    assert len(scores) == 377
    for score in scores:
        check_sound(score.sequence)
    assert sum(quantized_chords_differ(score.sequence) for score in scores) >= 370


@pytest.mark.skipif(not makers.SHARED.exists(), reason="needs the shared data")
def test_lead_sheets_agree_with_note_seq() -> None:
    """But for chords that were spread, and for what the warnings name."""
    differing = {Mend.SPREAD_CHORDS, Mend.OCTAVE_SPELLING, Mend.GRACE_NOTES, Mend.MINOR_KEY}
    compared = 0
    for path in sorted((makers.SHARED / "leadsheets").rglob("*.mxl"))[::4]:
        score = read(path.read_bytes())
        if set(score.warnings) & differing:
            continue
        text = mxl.unpack(path.read_bytes(), plain.MAX_BYTES)
        assert facts(score.sequence) == facts(note_seq_reads(text)), path.name
        compared += 1
    assert compared >= 50
