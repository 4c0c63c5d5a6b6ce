"""ABC text: written from notes, or given."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import readers
from corpus.encodings.abc_text import AbcTextEncoding
from corpus.encodings.results import EncodedExample
from tests import makers
from tests.encoding_pieces import StepNote, notes_of, piece_of, real_pieces, step_notes

WHOLE = AbcTextEncoding(max_steps=0)
TOP = AbcTextEncoding(skyline=True, max_steps=0)


def example_of(text: str) -> EncodedExample:
    """An example of these characters."""
    codes = [0 if sign == "\n" else ord(sign) - 31 for sign in text]
    return EncodedExample(np.array(codes, np.int64))


def test_a_small_piece_by_hand() -> None:
    notes = [
        StepNote(4, 8, 60), StepNote(8, 10, 61), StepNote(10, 12, 73), StepNote(12, 13, 72),
        StepNote(14, 20, 66),  # over the bar line
        StepNote(20, 21, 47), StepNote(21, 22, 96),
    ]  # fmt: skip
    chords = [(0, "Am"), (8, "F#m7"), (18, "N.C."), (19, "no chord")]
    encoded = WHOLE.encode(piece_of(notes, chords=chords))
    (example,) = encoded.examples
    assert WHOLE.text(example) == (
        '"Am"z4C4"F#m7"^C2c2=cz^F2-|^F2-"N.C."F2B,,c\'\'|'
    )  # fmt: skip
    assert dict(encoded.dropped) == {"unreadable_chord": 1}
    assert example.made_by == "instrument 0, from sixteenth 0"
    decoded = WHOLE.decode(example)
    assert notes_of(decoded) == [(n.start, n.end, n.pitch) for n in notes]
    texts = [(round(t.time * 8), t.text) for t in decoded.text_annotations]
    assert texts == [(0, "Am"), (8, "F#m7"), (18, "N.C.")]


@pytest.mark.parametrize("kept", ["MLK", ""])
def test_other_meters_stand_in_the_text(kept: str) -> None:
    notes = [StepNote(0, 12, 60), StepNote(12, 24, 62)]
    encoding = AbcTextEncoding(inline_fields=kept)
    (example,) = encoding.encode(piece_of(notes, meter=(3, 4))).examples
    assert encoding.text(example) == ("[M:3/4]" if kept else "") + "C12|D12|"
    (meter,) = encoding.decode(example).time_signatures
    assert (meter.numerator, meter.denominator) == ((3, 4) if kept else (4, 4))


@given(
    step_notes(max_start=300),
    st.sampled_from([(4, 4), (3, 4), (6, 8), (2, 2), (7, 16)]),
    st.lists(st.tuples(st.integers(0, 300), st.sampled_from(["C", "Am7", "G/B", "N.C."]))),
    st.sampled_from([120.0, 97.5]),
)
@settings(max_examples=200, deadline=None)
def test_melodies_come_back(
    notes: list[StepNote], meter: tuple[int, int], chords: list[tuple[int, str]], qpm: float
) -> None:
    per_second = 4 * qpm / 60
    piece = piece_of(
        notes, meter=meter, chords=chords, tempos=[(0.0, qpm)], steps_per_second=per_second
    )
    starts = sorted({note.start for note in notes})
    ends = {s: min([n for n in starts if n > s], default=1000) for s in starts}
    expected = []
    for start in starts:
        best = max((n for n in notes if n.start == start), key=lambda n: (n.pitch, n.end))
        same = [n.end for n in notes if (n.start, n.pitch) == (start, best.pitch)]
        expected.append((start, min(max(same), ends[start]), best.pitch))
    encoded = TOP.encode(piece)
    assert not encoded.dropped
    found = []
    for example in encoded.examples:
        assert 0 <= example.events.min() <= example.events.max() < TOP.num_events
        begin = int(example.made_by.rpartition(" ")[2])
        decoded = TOP.decode(example, qpm)
        assert [tempo.qpm for tempo in decoded.tempos] == [qpm]
        signature = decoded.time_signatures[0]
        assert (signature.numerator, signature.denominator) == meter
        found += [(s + begin, e + begin, p) for s, e, p in notes_of(decoded, per_second)]
        for text in decoded.text_annotations:
            held = [c for c in chords if c[0] <= begin + round(text.time * per_second)]
            assert text.text in {figure for _, figure in held}
    assert found == expected


def test_instruments_that_play_chords_are_dropped() -> None:
    notes = [StepNote(0, 4, 60), StepNote(0, 4, 64), StepNote(0, 8, 67, instrument=1)]
    encoded = WHOLE.encode(piece_of(notes))
    assert [WHOLE.text(example) for example in encoded.examples] == ["G8|"]
    assert dict(encoded.dropped) == {"polyphonic": 1}
    assert [TOP.text(example) for example in TOP.encode(piece_of(notes)).examples] == ["E4|", "G8|"]


def test_rests_of_over_four_bars_part_tunes() -> None:
    near = [StepNote(0, 4, 60), StepNote(80, 84, 62)]  # four empty bars
    assert [WHOLE.text(e) for e in WHOLE.encode(piece_of(near)).examples] == [
        "C4z12|z16|z16|z16|\nz16|D4|"
    ]
    far = [StepNote(0, 4, 60), StepNote(98, 100, 62)]
    first, second = WHOLE.encode(piece_of(far)).examples
    assert (WHOLE.text(first), WHOLE.text(second)) == ("C4|", "z2D2|")
    assert second.made_by == "instrument 0, from sixteenth 96"


def test_a_change_of_meter_parts_tunes() -> None:
    changed = dataclasses.replace(
        piece_of([StepNote(0, 20, 60), StepNote(20, 24, 62)]),
        meter_times=np.array([0.0, 2.0, 2.5]),
        numerators=np.array([4, 3, 3], np.int32),
        denominators=np.array([4, 4, 64], np.int32),
    )
    encoded = WHOLE.encode(changed)
    assert [WHOLE.text(example) for example in encoded.examples] == ["C16|"]
    assert dict(encoded.dropped) == {"unusable_meter": 1}
    waltz = dataclasses.replace(
        changed, meter_times=np.array([0.0, 2.0, 2.0]), denominators=np.array([4, 4, 4], np.int32)
    )
    texts = [WHOLE.text(example) for example in WHOLE.encode(waltz).examples]
    assert texts == ["C16|", "[M:3/4]z4D4|"]


def test_long_tunes_are_cut_between_bars() -> None:
    notes = [StepNote(step, step + 2, 60 + step % 12) for step in range(0, 160, 2)]
    encoding = AbcTextEncoding(max_steps=80)
    examples = encoding.encode(piece_of(notes, meter=(3, 4))).examples
    texts = [encoding.text(example) for example in examples]
    assert all(len(text) <= 80 and text.startswith("[M:3/4]") for text in texts)
    assert "".join(text.removeprefix("[M:3/4]").replace("\n", "") for text in texts) == WHOLE.text(
        WHOLE.encode(piece_of(notes, meter=(3, 4))).examples[0]
    ).removeprefix("[M:3/4]").replace("\n", "")
    assert examples[1].made_by.endswith(f"part 2 of {len(examples)}")


BOOK = """X: 7
T:A Tune
% Nottingham Music Database
S:Trad
M:6/8
L:1/8
K:G
P:A
|:"G"GAB d2B|"D7"A3-"D7"A2z:|\\
w: some words
"G"[GB]3 G3|]  % the end

X: 8
V:1
C|
"""


def test_headers_are_removed_from_given_text() -> None:
    encoded = WHOLE.encode_text(BOOK)
    (example,) = encoded.examples
    body = '|:"G"GAB d2B|"D7"A3-"D7"A2z:|\n"G"[GB]3 G3|]'
    assert WHOLE.text(example) == "[M:6/8][L:1/8][K:G]" + body
    assert example.made_by == "tune 7"
    assert dict(encoded.dropped) == {"several_voices": 1}
    plain = AbcTextEncoding(inline_fields="")
    assert plain.text(plain.encode_text(BOOK).examples[0]) == body
    (score,) = [s for s in readers.read_score(BOOK.encode(), "a.abc", "t") if s.tune == "7"]
    written = score.note_sequence()
    assert notes_of(WHOLE.decode(example), 48) == notes_of(written, 48)


def test_a_change_of_key_holds_in_the_parts_after_it() -> None:
    text = "X:1\nL:1/16\nK:G\nGABc|\nK:D\nfgab|\ngfed|\nM:3/4\nf12|\n"
    encoding = AbcTextEncoding(max_steps=12)
    found = [encoding.text(example) for example in encoding.encode_text(text).examples]
    assert found == ["[K:G]GABc|", "[K:G][K:D]fgab|", "[K:D]gfed|", "[K:D][M:3/4]f12|"]
    assert WHOLE.text(WHOLE.encode_text(text).examples[0]) == (
        "[K:G]GABc|\n[K:D]fgab|\ngfed|\n[M:3/4]f12|"
    )


def test_given_tunes_are_read_as_they_were() -> None:
    folder = makers.SHARED / "nottingham_abc"
    if not folder.is_dir():
        pytest.skip("no files in ../shared")
    data = (folder / "xmas.abc").read_bytes()
    scores = [s for s in readers.read_score(data, "xmas.abc", "t") if not s.reason]
    examples = WHOLE.encode_text(data.decode("latin-1")).examples
    assert len(scores) == len(examples)
    for score, example in zip(scores, examples, strict=True):
        written = score.note_sequence()
        if not written.tempos:
            assert notes_of(WHOLE.decode(example), 96) == notes_of(written, 96)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126) | st.just("\n"), max_size=60))
@settings(max_examples=100, deadline=None)
def test_what_a_model_says_is_decoded_whatever_it_is(text: str) -> None:
    example = example_of(text)
    assert WHOLE.text(example) == "".join(WHOLE.tokens(example)) == text
    decoded = WHOLE.decode(example, 90.0)
    assert decoded.tempos
    assert WHOLE.inputs(example).argmax(axis=1).tolist() == WHOLE.labels(example).tolist()


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="M, L and K"):
        AbcTextEncoding(inline_fields="MQ")


def test_real_files_are_read_again() -> None:
    for piece in real_pieces(5):
        encoded = AbcTextEncoding(skyline=True).encode(piece)
        assert encoded.examples
        assert all(TOP.decode(example).notes for example in encoded.examples)
