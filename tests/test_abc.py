"""The ABC reader: notes, rhythm, the order of sections, voices, and what is skipped."""

from __future__ import annotations

import pytest
from note_seq import sequences_lib

from tests.abc_tunes import HEADER, lengths, pitches, played, score, spans


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("C,, C, C c c' c''", [36, 48, 60, 72, 84, 96]),
        ("^C _D =E ^^F __B", [61, 61, 64, 67, 69]),
        ("^C C c | C", [61, 61, 73, 60]),
        ("^C C :: C", [61, 61, 60]),
        ("[K:D] F =F F | F", [66, 65, 65, 66]),
        ("^c- | c c", [73, 72]),
        ("A~B .C !trill!D uE +trill+F TG", [69, 71, 60, 62, 64, 65, 67]),
        ("{gab}C {/d}D", [60, 62]),
        ("C`D\\", [60, 62]),
        ("[CEG] [C2E2]", [60, 64, 67, 60, 64]),
        ("+CEG+ +ff+ C", [60, 64, 67, 60]),
        ("C % D", [60]),
        ("[r: a remark] C [L:1/8] D", [60, 62]),
        ("C,,,,,,,, C", [60]),
    ],
)
def test_pitches(body: str, expected: list[int]) -> None:
    assert pitches(body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("C C2 C/ C// C/4 C3/2 C3/", [1, 2, 0.5, 0.25, 0.25, 1.5, 1.5]),
        ("C>D E<F G>>A B<<c", [1.5, 0.5, 0.5, 1.5, 1.75, 0.25, 0.25, 1.75]),
        ("C2>D", [3, 0.5]),
        ("C>{d}D E > \n F", [1.5, 0.5, 1.5, 0.5]),
        ("(3CDE F", [0.666667] * 3 + [1]),
        ("(2CD (4CDEF (6CDEFGA C", [1.5, 1.5] + [0.75] * 4 + [0.333333] * 6 + [1]),
        ("(5CDEFG", [0.4] * 5),
        ("[M:6/8](5CDEFG", [0.6] * 5),
        ("(3:2:2 C2D E", [1.333333, 0.666667, 1]),
        ("(3::4 CDEF G", [0.666667] * 4 + [1]),
        ("(3C>DE", [1, 0.333333, 0.666667]),
        ("(C D)", [1, 1]),
        ("C-C D-|D2 E-F", [2, 3, 1, 1]),
        ("[CE]-[CE]", [2, 2]),
        ("[C-E] C", [2, 1]),
        ("[E2C-] C", [2, 1, 1]),
        ("[CE]2 [C2E2] [CE]/", [2, 2, 2, 2, 0.5, 0.5]),
        ("C-:|C", [1, 1]),
        ("(1C (12D (3:65E", [1, 1, 1]),
    ],
)
def test_lengths(body: str, expected: list[float]) -> None:
    assert lengths(body) == expected


@pytest.mark.parametrize(
    ("body", "starts"),
    [
        ("C z D x2 E", [0, 2, 5]),
        ("C Z2 D [M:3/4] Z E", [0, 9, 13]),
        ("C y D", [0, 1]),
        ("[C2E]F", [0, 0, 2]),
        ("C D & E3 | F", [0, 1, 0, 3]),
        ("C & E2 & G4", [0, 0, 0]),
        ("C & 1 : E | F", [0, 0, 1]),
        ("C [zE] z>D", [0, 1, 3.5]),
    ],
)
def test_when_notes_begin(body: str, starts: list[float]) -> None:
    assert [start for start, _ in spans(body)] == starts


@pytest.mark.parametrize(
    ("body", "order"),
    [
        ("|:CD:|EF", "CDCDEF"),
        ("CD:|EF", "CDCDEF"),
        ("CD::EF:|", "CDCDEFEF"),
        ("CD||EF:|", "CDEFEF"),
        ("|::CD::|E", "CDCDCDE"),
        ("|:CD|1E:|2F|]G", "CDECDFG"),
        ("|:CD|[1E:|[2F|]G", "CDECDFG"),
        ("|:CD [1 E :| [2 F || G:|", "CDECDFGG"),
        ("|:C|1,3D:|2E:|A", "CDCECDA"),
        ("|:C|1-2D:|3E||", "CDCDCE"),
        ("|:C|1D:|E", "CDCE"),
        ("|:C|1D:|2E|:F|1G:|2A|]", "CDCEFGFA"),
        ("|:C|1D:|\n2E||", "CDCE"),
        ("CD|\\\n:EF:|", "CDEFEF"),
        ("|:C z:|", "CC"),
        ("C||\n:|D", "CCD"),
        ("C|1D:|2E|1F:|2G", "CDCEFG"),
    ],
)
def test_repeats_and_endings_play_as_written(body: str, order: str) -> None:
    assert played(body) == order


@pytest.mark.parametrize(
    ("order", "body", "expected"),
    [
        ("ABA", "P:A\nCD|\nP:B\nEF|", "CDEFCD"),
        ("A(AB)2", "P:A\nC|\nP:B\nD|", "CCDCD"),
        ("A2B", "P:A\n|:C|1D:|2E||\nP:B\nF:|", "CDCECDCEFF"),
        ("AB", "P:A\nC|\nP:B\nD||", "CD"),
        ("AB", "P:A\nC::\nP:B\nD:|", "CCDD"),
    ],
)
def test_parts_play_in_the_order_of_the_header(order: str, body: str, expected: str) -> None:
    assert played(body, HEADER.replace("K:C", f"P:{order}\nK:C")) == expected


@pytest.mark.parametrize("order", ["AC", "(" * 300 + "A9" + ")9" * 300, "A" * 1000])
def test_an_order_that_cannot_be_played_is_a_warning(order: str) -> None:
    header = HEADER.replace("K:C", f"P:{order}\nK:C")
    result = score("P:A\nC||\nP:B\nD||", header)
    assert len(result.note_sequence().section_groups) == 2
    assert any("part_order" in warning for warning in result.warnings)


def test_sections_that_end_in_a_rest_repeat_with_it() -> None:
    sequence = score("|:C z:|").note_sequence()
    assert sequence.total_time == 2
    assert [n.start_time for n in sequences_lib.expand_section_groups(sequence).notes] == [0, 2]
    assert score("C z").note_sequence().total_time == 1


VOICES = """V:1 name="Flute"
V:2 clef=bass octave=-1
K:C
[V:1] c d |: e
V:2
C D |
[V:1] f :|
w: la la
V:2
E2 :|
"""


def test_voices_are_instruments_that_sound_together() -> None:
    sequence = score(VOICES, "X:1\nL:1/4\nM:4/4\n").note_sequence()
    parts = [(n.instrument, n.part, n.pitch, n.start_time) for n in sequence.notes]
    assert parts == [
        (0, 0, 72, 0), (0, 0, 74, 0.5), (0, 0, 76, 1), (0, 0, 77, 1.5),
        (1, 1, 48, 0), (1, 1, 50, 0.5), (1, 1, 52, 1),
    ]  # fmt: skip
    assert [info.name for info in sequence.part_infos] == ["1", "2"]
    assert [a.time for a in sequence.section_annotations] == [0, 1]


def test_keys_of_a_voice_stay_in_it() -> None:
    assert pitches("V:1\nK:G\nF\nV:2\nF") == [66, 65]


def test_what_is_skipped_is_counted() -> None:
    result = score("C @@ D {gg}E #", HEADER.replace("K:C", "N no colon\nm:~n=n\nK:C"))
    assert result.warnings == [
        "bad_header_line",
        "macros",
        "unknown_signs",
        "grace_notes",
    ]
    assert not score("hC", HEADER.replace("K:C", "U:h=!trill!\nK:C")).warnings
    assert score("hC").warnings
    assert not score("C|:D::\nP:B\nE:|").warnings
    assert pitches("CD", "X:1\n") == [60, 62]
    assert not score("C|\nD:|").warnings
    assert score('C !D.C.alfine!D !dalsegno!"_D.C."').warnings == ["jumps"]


@pytest.mark.parametrize("body", ["|:C", "|:C|:D:|", "|:C::|", ":|C"])
def test_repeats_that_do_not_match_are_warnings(body: str) -> None:
    assert any("repeat" in warning for warning in score(body).warnings)
