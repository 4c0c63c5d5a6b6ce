"""The MusicXML reader's bytes: as protobuf writes them, whatever was read before."""

from __future__ import annotations

import pytest

from corpus.readers import musicxml
from corpus.readers.musicxml.memory import Memories, Memory
from corpus.readers.musicxml.mends import Mend
from tests.musicxml_scores import (
    PLAYERS,
    WHOLE,
    chords,
    harmony,
    note,
    pitches,
    read,
    rest,
    transposed,
    unpitched,
    xml,
)
from tests.test_musicxml import SAME_AS_NOTE_SEQ, SOUND


@pytest.mark.parametrize("name", SAME_AS_NOTE_SEQ)
def test_bytes_are_those_that_protobuf_writes(name: str) -> None:
    for data in (SAME_AS_NOTE_SEQ[name], transposed("<chromatic>3</chromatic>", harmony() + WHOLE)):
        (score,) = musicxml.read(data)
        assert score.payload == score.note_sequence().SerializeToString(deterministic=True)


def test_notes_and_chords_at_any_time_are_written_as_protobuf_writes_them() -> None:
    odd = "".join(
        note(pitch, length, after=f"<voice>{voice}</voice><type>{kind}</type><dot/>") + harmony()
        for pitch, length, voice, kind in (
            ("C4", 0, 0, "1024th"),
            ("C4", 1, 2**31 - 1, "maxima"),
            ("G9", 3, 200, "quarter"),
        )
    )
    data = xml([SOUND + harmony() + odd + unpitched() + rest(4) + odd], odd, listed=PLAYERS)
    (score,) = musicxml.read(data)
    sequence = score.note_sequence()
    assert score.payload == sequence.SerializeToString(deterministic=True)
    assert [n.voice for n in sequence.notes if n.part][1] == 2**31 - 1
    assert len(sequence.notes) == 10
    assert sequence.notes[0].end_time == 0.0


def test_what_is_remembered_of_a_score_does_not_change_the_next() -> None:
    body = harmony() + note("B#4", 4) + note(duration=4, before="<dot/>") + unpitched() + rest(4)
    untransposed, up = xml(body), transposed("<chromatic>2</chromatic>", body)
    first = [(musicxml.read(data)[0].payload, read(data).warnings) for data in (untransposed, up)]
    again = [(musicxml.read(data)[0].payload, read(data).warnings) for data in (untransposed, up)]
    assert first == again
    assert pitches(read(untransposed)) == [72, 60, 38]
    assert pitches(read(up)) == [74, 62, 38]
    assert {Mend.OCTAVE_SPELLING, Mend.DRUMS} <= set(first[0][1])
    assert [text for _, text in chords(read(up))] == ["D"]


def test_memory_of_texts_is_bounded() -> None:
    memory: Memory[int] = Memory()
    memory.keep(b"<step>C</step>" * 1000, 1)
    assert not memory
    for number in range(10_000):
        memory.keep(str(number).encode(), number)
    assert len(memory) <= 4096
    assert memory[b"9999"] == 9999


def test_a_transposition_has_a_memory_of_its_own_and_few_are_kept() -> None:
    memories: Memories[int] = Memories()
    memories[0].keep(b"C", 60)
    assert memories[2].get(b"C") is None
    assert memories[0][b"C"] == 60
    for semitones in range(-127, 128):
        memories[semitones].keep(b"C", 60)
    assert sum(memories[semitones].get(b"C") == 60 for semitones in range(-127, 128)) <= 4
