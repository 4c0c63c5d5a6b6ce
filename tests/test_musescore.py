"""The MuseScore reader: agreement with MusicXML, ties, time, tuplets, pitches."""

from __future__ import annotations

import pytest

from corpus.readers.musescore.mends import OwnMend
from corpus.readers.musicxml.mends import Mend
from tests import musicxml_scores
from tests.musescore_scores import events_of, heard, make, read
from tests.musescore_texts import (
    CLARINET,
    FOUR_FOUR,
    NEXT,
    PREVIOUS,
    keys,
    measure,
    mscx,
    mscz,
    note,
    one,
    played,
    rest,
)
from tests.musescore_writers import MuseScoreWriter, MusicXmlWriter
from tests.musicxml_scores import chords, facts, meters


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
