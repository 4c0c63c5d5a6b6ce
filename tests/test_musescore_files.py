"""The MuseScore reader: files, what is rejected, what is mended, and bounded time."""

from __future__ import annotations

import io
import re
import time
import zipfile

import pytest

from corpus import readers
from corpus.readers import guard, musescore
from corpus.readers.musescore.mends import WARNINGS, OwnMend
from corpus.readers.musicxml.mends import Mend
from corpus.readers.results import ReadError
from tests.musescore_scores import read
from tests.musescore_texts import (
    FOUR_FOUR,
    NEXT,
    PREVIOUS,
    measure,
    mscx,
    mscz,
    note,
    one,
    played,
    rest,
)


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
