from __future__ import annotations

import gzip
import os
import time

import pytest
from note_seq import midi_io
from note_seq.protobuf import music_pb2

from corpus import readers
from corpus.readers import abc
from corpus.readers.guard import GuardedReader, ReaderPool
from tests import makers

BROKEN = makers.GOLDEN / "broken_inputs"
ABC_TUNE = "X:1\nT:A Tune\nC:Trad\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|\n"


def only(data: bytes, path: str) -> readers.Score:
    (score,) = readers.read_score(data, path, "test")
    return score


def test_midi_is_what_note_seq_makes_of_it() -> None:
    data = makers.midi()
    score = only(data, "Artist/Song.mid")
    expected = midi_io.midi_to_note_sequence(data)
    got = music_pb2.NoteSequence.FromString(score.payload)
    assert got.id == f"/id/midi/test/{score.track_id}"
    assert (got.filename, got.collection_name) == ("Artist/Song.mid", "test")
    for name in ("id", "filename", "collection_name"):
        got.ClearField(name)
    assert got == expected


@pytest.mark.parametrize("name", ["a.MID", "a.Midi", "a.kar", "a.mid.gz", "x/.38 Special/a.mid"])
def test_extensions_in_any_case(name: str) -> None:
    data = makers.midi()
    data = gzip.compress(data) if name.endswith(".gz") else data
    assert only(data, name).payload


BROKEN_OUTCOMES = {
    "UPPER.MID": "",
    "a.musicxml": "",
    "b.xml": "",
    "bad.mxl": "damaged_archive",
    "bad.xml": "damaged_xml",
    "c.mxl": "",
    "dup.mid": "",
    "empty.mid": "empty_file",
    "gzip.mid": "",
    "hugetick.mid": "too_long",
    "notmidi.mid": "not_a_score",
    "ok.kar": "",
    "other.xml": "not_musicxml",
    "rmid.mid": "",
    "smpte.mid": "",
    "timewise.xml": "no_notes",
    "truncated.mid": "",
    "type2.mid": "",
}


@pytest.mark.parametrize("name", sorted(p.name for p in BROKEN.iterdir()))
def test_each_broken_input_has_a_reason(name: str) -> None:
    score = only((BROKEN / name).read_bytes(), name)
    assert score.reason == BROKEN_OUTCOMES[name]
    assert bool(score.detail) == bool(score.reason)


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"MThd", "a.mid", "truncated"),
        (b"MThd\0\0\0\6\0\1\0\0\0\x60", "a.mid", "truncated"),
        (b"MThd\0\0\0\6\0\1\0\1\0\0", "a.mid", "damaged_midi"),
        (b"RIFF\0\0\0\0WAVEdata", "a.rmi", "not_midi"),
        (b"\x1f\x8bgarbage", "a.mid", "damaged_archive"),
        (b"hello", "a.mid", "not_midi"),
        (b"hello", "a.txt", "not_a_score"),
        (b"hello", "noextension", "not_a_score"),
        (b"hello", "a.abc", "not_abc"),
        (b"\0\xff\xfe", "a.xml", "damaged_xml"),
        (b"PK\3\4", "a.mxl", "damaged_archive"),
        (makers.mxl({"readme.txt": b"x"}), "a.mxl", "damaged_archive"),
        (makers.musicxml(notes=0), "a.xml", "no_notes"),
        (b"<a>" * 1000 + b"</a>" * 1000, "a.xml", "damaged_xml"),
    ],
)
def test_bad_content_has_a_reason(data: bytes, name: str, reason: str) -> None:
    score = only(data, name)
    assert score.reason == reason
    assert not score.payload


def test_xml_entities_are_refused_whatever_the_encoding() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    assert only(makers.musicxml(doctype=bomb), "a.xml").reason == "unsafe_xml"
    text = makers.musicxml(doctype=bomb).decode().replace("UTF-8", "UTF-16")
    assert only(text.encode("utf-16"), "a.xml").reason == "unsafe_xml"
    outside = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    assert only(makers.musicxml(doctype=outside), "a.xml").reason == "unsafe_xml"
    plain = '<!DOCTYPE score-partwise PUBLIC "-//R//DTD" "http://x.invalid/partwise.dtd">'
    assert only(makers.musicxml(doctype=plain), "a.xml").payload


def test_a_zip_bomb_is_refused() -> None:
    bomb = makers.mxl({"score.xml": b" " * (65 << 20)})
    assert len(bomb) < 200_000
    assert only(bomb, "a.mxl").reason == "too_big"
    crowd = makers.mxl({f"{i}.xml": b"x" for i in range(300)})
    assert only(crowd, "a.mxl").reason == "too_big"
    assert only(gzip.compress(b"\0" * (65 << 20)), "a.mid").reason == "too_big"


@pytest.mark.parametrize(
    "container",
    [
        b"<container><rootfiles><rootfile full-path='It's.xml'/></rootfiles></container>",
        b"<container><rootfiles><rootfile full-path='../../etc/passwd'/></rootfiles></container>",
        b"<container><rootfiles><rootfile full-path='It&apos;s.xml'/></rootfiles></container>",
        None,
    ],
)
def test_mxl_is_read_without_trusting_its_container(container: bytes | None) -> None:
    members = {"META-INF/container.xml": container} if container else {}
    score = only(makers.mxl({**members, "It's.xml": makers.musicxml()}), "a.mxl")
    assert len(score.note_sequence().notes) == 4
    assert (score.title, score.composer) == ("A Title", "A Composer")


def test_parts_without_channels_are_instruments_of_their_own() -> None:
    score = only(makers.musicxml(parts=3), "a.xml")
    assert sorted({n.instrument for n in score.note_sequence().notes}) == [0, 1, 2]
    assert score.warnings
    assert not only(makers.musicxml(parts=1), "a.xml").warnings


def test_abc_books_give_a_score_a_tune() -> None:
    book = f"{ABC_TUNE}\nfree text: not a tune\n\nX:2\nT:Silent\nK:C\nz4|\n\n{ABC_TUNE}"
    scores = readers.read_score(book.encode(), "book.abc", "test")
    assert [(s.tune, s.reason) for s in scores] == [("1", ""), ("2", "no_notes"), ("1-2", "")]
    pitches = [n.pitch for n in scores[0].note_sequence().notes]
    assert pitches == [60, 62, 64, 65, 67, 69, 71, 72]
    assert (scores[0].title, scores[0].composer) == ("A Tune", "Trad")
    assert scores[0].track_id != scores[2].track_id


def test_abc_rests_take_time_and_make_no_sound() -> None:
    tune = 'X:1\nT:zzz\nM:4/4\nL:1/4\nQ:1/4=120\nK:Gm\n"z"C z {de}D x|z2 E`F z|\n'
    (score,) = readers.read_score(tune.encode(), "a.abc", "test")
    notes = [(n.pitch, n.start_time, n.end_time) for n in score.note_sequence().notes]
    assert notes == [(60, 0.0, 0.5), (62, 1.0, 1.5), (63, 3.0, 3.5), (65, 3.5, 4.0)]
    assert score.note_sequence().total_time == 4.0
    (silent,) = readers.read_score(b"X:1\nL:1/4\nK:C\nz4|\n", "a.abc", "test")
    assert silent.reason == "no_notes"


def test_tune_books_split_at_numbers_and_blank_lines() -> None:
    header, tunes = abc.split_tunes("M:4/4\n\nX:1\nK:C\nC\nX:2\nK:D\nD\n\nfree\n")
    assert header == ["M:4/4"]
    assert tunes == [["X:1", "K:C", "C"], ["X:2", "K:D", "D"]]


def tunes(count: int, notes: int = 4) -> readers.Prepared:
    body = "CDEF" * (notes // 4) + "C" * (notes % 4)
    book = "".join(f"X:{n}\nK:C\n{body}\n\n" for n in range(count))
    return readers.Prepared("abc", book.encode())


BAD = readers.Prepared("abc", b"hello")


def test_the_guard_returns_what_the_reader_reads() -> None:
    with GuardedReader(max_memory_mb=512, max_seconds=30) as reader:
        got = reader.read(tunes(3))
        expected = readers.read_prepared(tunes(3))
        assert got == expected
        assert [score.tune for score in got] == ["0", "1", "2"]
        assert reader.read(BAD)[0].reason == "not_abc"


def test_the_guard_survives_a_file_that_hangs_or_kills_the_reader() -> None:
    with GuardedReader(max_memory_mb=512, max_seconds=0.2) as reader:
        started = time.monotonic()
        assert reader.read(tunes(15_000, 40))[0].reason == "too_slow"
        assert time.monotonic() - started < 30
        assert reader.read(BAD)[0].reason == "not_abc"
        process = reader._process
        assert process is not None
        process.kill()
        process.wait()
        assert reader.read(BAD)[0].reason == "reader_crashed"
        assert reader.read(BAD)[0].reason == "not_abc"


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory limits need Linux")
def test_the_guard_bounds_memory() -> None:
    with GuardedReader(max_memory_mb=24, max_seconds=60) as reader:
        result = reader.read(tunes(15_000, 40))[0]
        assert result.reason in ("too_much_memory", "reader_crashed")
        assert reader.read(tunes(1))[0].reason == ""


def test_a_pool_answers_each_file() -> None:
    pool = ReaderPool(2, max_memory_mb=512, max_seconds=30)
    try:
        counts = (400, 3, 200, 5, 1)
        answers = [pool.submit(tunes(count)) for count in counts]
        assert tuple(len(answer.result()) for answer in answers) == counts
    finally:
        pool.close()


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
def test_broken_inputs_cost_little_memory() -> None:
    with GuardedReader(max_memory_mb=640, max_seconds=30) as reader:
        for path in sorted(BROKEN.iterdir()):
            media = readers.media_of(path.name)
            reader.read(readers.Prepared(media, path.read_bytes()))
        process = reader._process
        assert process is not None
        with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
            (peak,) = [int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM")]
    assert peak < 400
