"""Melodies and lead sheets in the full extraction: what Magenta drops is kept."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import readers
from corpus.encodings import chord_inference, lead_sheet_chords
from corpus.encodings.chord_symbols import NO_CHORD
from corpus.encodings.lead_sheet_chords import with_inferred_chords
from corpus.encodings.magenta_improv import CHORDS, BasicImprovEncoding, ChordPitchesImprovEncoding
from corpus.encodings.magenta_melody import AttentionRnnEncoding, BasicRnnEncoding, MonoRnnEncoding
from corpus.encodings.melody_search import FIRST_PITCH, NOTE_OFF, MelodySearch, find_melodies
from corpus.encodings.parts import even_bars
from corpus.encodings.piece import Piece, read_piece
from corpus.encodings.quantize import quantize
from corpus.encodings.results import EncodedPiece
from tests.encoding_pieces import StepNote, piece_of, real_pieces, sequence_of, to_piece
from tests.test_quantize import real_files

SCALE = (60, 62, 64, 65, 67, 69, 71, 72)


def eighths(count: int, *, first: int = 0, instrument: int = 0) -> list[StepNote]:
    """A scale up and down again, in eighths; 8 are a bar of 4/4."""
    return [
        StepNote(first + 2 * i, first + 2 * i + 2, SCALE[i % 8], instrument=instrument)
        for i in range(count)
    ]


def seconds_of(steps: float, tempos: Sequence[tuple[int, float]]) -> float:
    """When a sixteenth comes, with tempos as (sixteenth, quarters per minute)."""
    seconds = 0.0
    for (begin, qpm), end in zip(tempos, [t[0] for t in tempos[1:]] + [10**9], strict=True):
        seconds += max(min(steps, end) - begin, 0) * 15.0 / qpm
    return seconds


def played(
    notes: Sequence[StepNote],
    tempos: Sequence[tuple[int, float]] = ((0, 120.0),),
    meters: Sequence[tuple[int, int, int]] = ((0, 4, 4),),
    chords: Sequence[tuple[int, str]] = (),
) -> Piece:
    """A piece whose notes, meters and chords stand in sixteenths, through several tempos."""
    sequence = sequence_of(notes, chords=chords, tempos=())
    del sequence.time_signatures[:]
    for step, numerator, denominator in meters:
        sequence.time_signatures.add(
            time=seconds_of(step, tempos), numerator=numerator, denominator=denominator
        )
    for step, qpm in tempos:
        sequence.tempos.add(time=seconds_of(step, tempos), qpm=qpm)
    for note in sequence.notes:
        note.start_time = seconds_of(note.start_time * 8, tempos)
        note.end_time = seconds_of(note.end_time * 8, tempos)
    for chord in sequence.text_annotations:
        chord.time = seconds_of(chord.time * 8, tempos)
    sequence.total_time = max((n.end_time for n in sequence.notes), default=0.0)
    return to_piece(sequence)


def events(encoded: EncodedPiece) -> list[list[int]]:
    return [example.events.tolist() for example in encoded.examples]


@given(
    st.lists(
        st.tuples(st.integers(1, 200), st.sampled_from([60.0, 97.3, 120.0, 241.0])),
        max_size=6,
        unique_by=lambda tempo: tempo[0],
    ),
    st.sampled_from([3, 4]),
)
@settings(max_examples=50, deadline=None)
def test_a_change_of_tempo_changes_nothing(
    changes: list[tuple[int, float]], numerator: int
) -> None:
    notes = [*eighths(100), *eighths(90, first=7, instrument=1)]
    meters = [(0, numerator, 4)]
    one = BasicRnnEncoding(full=True).encode(played(notes, meters=meters))
    several = played(notes, [(0, 88.0), *sorted(changes)], meters)
    assert events(BasicRnnEncoding(full=True).encode(several)) == events(one)
    assert len(one.examples) == 2


def test_where_a_melody_stands_is_told_in_the_seconds_that_were_written() -> None:
    tempos = [(0, 120.0), (64, 60.0), (160, 240.0)]
    piece = played(eighths(64, first=80), tempos)
    (example,) = BasicRnnEncoding(full=True).encode(piece).examples
    assert seconds_of(80, tempos) == 12.0
    assert example.made_by == f"instrument 0, 12.0 s to {seconds_of(208, tempos):.1f} s"


def test_a_short_bar_among_others_cuts_no_melody() -> None:
    meters = [(0, 4, 4), (64, 2, 4), (72, 4, 4)]
    piece = played(eighths(64), meters=meters)
    assert BasicRnnEncoding().encode(piece).dropped == {"too_short": 3}
    (example,) = BasicRnnEncoding(full=True).encode(piece).examples
    assert len(example.events) == 128
    assert example.made_by == "instrument 0, 0.0 s to 16.0 s, all bars as 4/4"


def test_another_meter_that_goes_on_is_a_part_of_its_own() -> None:
    notes = eighths(64 + 48)
    meters = [(0, 4, 4), (128, 3, 4)]
    encoded = BasicRnnEncoding(full=True).encode(played(notes, meters=meters))
    assert [len(example.events) for example in encoded.examples] == [128, 96]
    # A half-note bar is as long as a common one; a bar of 3/4 within shifts what follows.
    same = played(notes, meters=[(0, 4, 4), (64, 2, 2)])
    assert [len(e) for e in events(BasicRnnEncoding(full=True).encode(same))] == [224]
    shifted = played(eighths(200), meters=[(0, 4, 4), (128, 3, 4), (140, 4, 4)])
    assert [len(e) for e in events(BasicRnnEncoding(full=True).encode(shifted))] == [140, 260]


def test_bars_of_no_whole_steps_are_read_as_common_time() -> None:
    piece = piece_of(eighths(64), meter=(3, 32))
    assert BasicRnnEncoding().encode(piece).dropped == {"unusable_meter": 1}
    (example,) = BasicRnnEncoding(full=True).encode(piece).examples
    assert example.made_by == "instrument 0, 0.0 s to 16.0 s, all bars as 4/4"


def test_a_polyphonic_instrument_gives_its_skyline() -> None:
    chords = [StepNote(16 * i, 16 * i + 16, 48 + p) for i in range(8) for p in (0, 4)]
    piece = piece_of(sorted([*eighths(64), *chords]))
    assert BasicRnnEncoding().encode(piece).dropped == {"polyphonic": 1}
    encoded = BasicRnnEncoding(full=True).encode(piece)
    assert events(encoded) == events(BasicRnnEncoding().encode(piece_of(eighths(64))))
    assert encoded.examples[0].made_by == "skyline of instrument 0, 0.0 s to 16.0 s"


def test_a_long_melody_goes_on_in_further_examples() -> None:
    piece = piece_of(eighths(8 * 100))
    encoded = BasicRnnEncoding(full=True).encode(piece)
    assert [len(e) for e in events(encoded)] == [400, 400, 400, 400]
    assert encoded.examples[1].made_by == "instrument 0, 50.0 s to 100.0 s, part 2 of 4"
    (whole,) = events(BasicRnnEncoding(max_steps=1600).encode(piece))
    assert list(itertools.chain(*events(encoded))) == whole


def test_an_even_cut_gives_way_to_one_that_keeps_more() -> None:
    # Five pitch classes in the first 512 steps, but in none of the two halves.
    low = [StepNote(4 * i, 4 * i + 4, 60 + i % 3) for i in range(104)]
    high = [StepNote(416 + 4 * i, 420 + 4 * i, 63 + i % 2) for i in range(104)]
    encoded = BasicRnnEncoding(full=True, min_unique_pitches=5).encode(piece_of(low + high))
    assert [len(e) for e in events(encoded)] == [512]
    assert encoded.dropped == {"too_few_pitches": 1}
    assert (
        encoded.examples[0].made_by == "instrument 0, 0.0 s to 64.0 s, part 1 of 2, transposed -1"
    )


@pytest.mark.parametrize("encoding", [BasicRnnEncoding, BasicImprovEncoding])
def test_melodies_of_one_step_are_refused(encoding: type) -> None:
    with pytest.raises(ValueError, match="1 steps; choose at least 2"):
        encoding(full=True, max_steps=1)
    assert encoding(full=True, max_steps=2).encode(piece_of(eighths(64))).dropped


NOTES = st.lists(
    st.builds(
        lambda start, length, pitch, instrument, drum: StepNote(
            start, start + length, pitch, instrument=instrument, is_drum=drum == 0
        ),
        st.integers(0, 500), st.integers(1, 60), st.integers(0, 127), st.integers(0, 3),
        st.integers(0, 8),
    ),
    min_size=1,
    max_size=60,
)  # fmt: skip


@given(NOTES, st.sampled_from([(4, 4), (3, 4), (6, 8), (9, 4)]), st.sampled_from([10, 40, 64]))
@settings(max_examples=150, deadline=None)
def test_parts_laid_end_to_end_are_the_whole(
    notes: list[StepNote], meter: tuple[int, int], max_steps: int
) -> None:
    part = quantize(piece_of(sorted(notes), meter=meter), 4)
    bar = int(part.steps_per_bar)
    search = MelodySearch(0, max_steps, 0, 2.0, full=True)
    wholes = find_melodies(part, dataclasses.replace(search, max_steps=10**6), Counter())
    parts = find_melodies(part, search, Counter())
    expected = []
    for whole in wholes:
        cuts = list(even_bars(len(whole.events), bar, max_steps))
        if len(whole.events) > max_steps and any(
            not (whole.events[a : a + n] >= FIRST_PITCH).any() for a, n in cuts
        ):  # A part without a note: the other way to cut may be chosen.
            unit = bar if bar <= max_steps else 1
            longest = max_steps // unit * unit
            other = [(a, longest) for a in range(0, len(whole.events), longest)]
            cuts = max((cuts, other), key=lambda ways: _kept(whole.events, ways))
        for index, (begin, length) in enumerate(cuts):
            cut = whole.events[begin : begin + length].copy()
            struck = np.flatnonzero(cut >= FIRST_PITCH)
            if len(struck):
                # What ends a note of the part before stands for nothing in this one.
                cut[: struck[0]] = 0
                place = (whole.instrument, whole.start_step + begin, index, len(cuts))
                expected.append((*place, cut.tolist()))
    found = [(m.instrument, m.start_step, m.part, m.num_parts, m.events.tolist()) for m in parts]
    assert found == expected


def _kept(whole: np.ndarray, cuts: list[tuple[int, int]]) -> int:
    return sum(int((whole[a : a + n] >= FIRST_PITCH).sum()) for a, n in cuts)


@given(
    NOTES,
    st.lists(st.tuples(st.integers(0, 300), st.sampled_from([30.0, 120.0, 200.0])), max_size=3),
    st.lists(
        st.tuples(
            st.integers(0, 300), st.sampled_from([(4, 4), (2, 4), (3, 4), (5, 16), (7, 64), (0, 4)])
        ),
        max_size=4,
    ),
)
@settings(max_examples=100, deadline=None)
def test_whatever_is_played_ids_are_in_range_and_notes_are_the_pieces(
    notes: list[StepNote],
    tempos: list[tuple[int, float]],
    meters: list[tuple[int, tuple[int, int]]],
) -> None:
    piece = played(sorted(notes), [(0, 100.0), *sorted(tempos)],
                   [(step, *meter) for step, meter in meters])  # fmt: skip
    encoding = MonoRnnEncoding(full=True, min_bars=1, min_unique_pitches=1, max_steps=128)
    encoded = encoding.encode(piece)
    assert encoded.examples or encoded.dropped
    assert set(encoded.dropped) <= {"too_short", "too_few_pitches", "no_melody_notes"}
    available = Counter((n.instrument, n.pitch) for n in notes if not n.is_drum)
    for example in encoded.examples:
        assert len(example.events) <= 128
        assert 0 <= example.events.min() <= example.events.max() < encoding.num_events
        struck = np.flatnonzero(example.events > NOTE_OFF)
        sequence = encoding.decode(example)
        assert [round(n.start_time * 8) for n in sequence.notes] == struck.tolist()
        pitches = (example.events[struck] - FIRST_PITCH).tolist()
        assert [n.pitch for n in sequence.notes] == pitches
        instrument = int(example.made_by.split("instrument ")[1].split(",")[0])
        available.subtract((instrument, pitch) for pitch in pitches)
    assert min(available.values(), default=0) >= 0


@pytest.mark.parametrize(
    "tempos",
    [
        [(0.0, 0.0)],
        [(0.0, 0.0), (1.0, 120.0)],
        [(0.0, -5.0)],
        [(-1.0, 60.0), (2.0, 90.0)],
        [(0.0, 1e308), (1.0, 1e-308)],
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_damaged_tempos_are_counted(tempos: list[tuple[float, float]]) -> None:
    piece = piece_of(eighths(64), tempos=tempos, chords=[(0, "C")])
    for encoding in (BasicRnnEncoding(full=True, min_bars=0), BasicImprovEncoding(full=True)):
        encoded = encoding.encode(piece)
        assert encoded.examples or encoded.dropped
        assert set(encoded.dropped) <= set(encoding.reasons)


# ---- lead sheets


def lead_sheet(*chords: tuple[int, str], full: bool = True, **more: Any) -> EncodedPiece:
    is_training = more.pop("is_training", False)
    piece = piece_of(eighths(64), chords=chords)
    return BasicImprovEncoding(full=full, **more).encode(piece, is_training=is_training)


def test_chords_that_cannot_be_told_are_no_chord() -> None:
    chords = ((0, "C"), (16, "Gsus"), (32, "what"), (48, "Am"), (64, "G(add3)"), (80, "F"))
    assert lead_sheet(*chords, full=False).dropped == {"unknown_chord": 1}
    (example,) = lead_sheet(*chords).examples
    assert example.made_by == "instrument 0, 0.0 s to 16.0 s, 3 chords not told, transposed +0"
    assert example.controls[CHORDS][::16].tolist() == [1, 0, 0, 22, 0, 6, 6, 6]
    (example,) = lead_sheet((0, "C"), (16, "Gsus")).examples
    assert "1 chord not told" in example.made_by
    assert lead_sheet((0, "Gsus"), (16, "what")).dropped == {"no_chords": 1}
    assert lead_sheet((0, NO_CHORD)).dropped == {"no_chords": 1}
    piece = piece_of(eighths(64), chords=chords)
    (pitches,) = ChordPitchesImprovEncoding(full=True).encode(piece).examples
    assert "2 chords not told" in pitches.made_by


def test_the_last_of_chords_on_one_step_holds() -> None:
    chords = ((0, "C"), (16, "G"), (16, "F"), (32, "G"), (32, "Dm"), (32, "Am"))
    assert lead_sheet(*chords, full=False).dropped == {"coincident_chords": 1}
    (example,) = lead_sheet(*chords).examples
    assert example.controls[CHORDS][::16].tolist() == [1, 6, 22, 22, 22, 22, 22, 22]


def test_only_what_is_trained_on_is_transposed() -> None:
    assert [e.made_by[-2:] for e in lead_sheet((0, "C")).examples] == ["+0"]
    trained = lead_sheet((0, "C"), is_training=True).examples
    amounts = [int(e.made_by.rpartition(" ")[2]) for e in trained]
    assert amounts[0] == 0
    assert len(set(amounts)) == 3
    assert set(amounts) <= set(range(-6, 6))
    for amount, example in zip(amounts, trained, strict=True):
        assert set(example.controls[CHORDS].tolist()) == {1 + amount % 12}
    assert len(lead_sheet((0, "C"), is_training=True, augment=0).examples) == 1
    assert len(lead_sheet((0, "C"), is_training=True, augment=99).examples) == 12
    again = lead_sheet((0, "C"), is_training=True).examples
    assert [e.made_by for e in again] == [e.made_by for e in trained]


@pytest.mark.parametrize("meter", [(4, 4), (5, 4), (12, 8), (7, 8)])
def test_missing_chords_are_inferred_in_every_meter(meter: tuple[int, int]) -> None:
    encoding = BasicImprovEncoding(full=True)
    (example,) = encoding.encode(piece_of(eighths(120), meter=meter)).examples
    assert "chords inferred" in example.made_by
    assert len(np.unique(example.controls[CHORDS])) > 1
    assert (example.controls[CHORDS] > 0).all()


def test_a_long_piece_has_its_chords_inferred_piece_by_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    piece = piece_of(eighths(8 * 23))
    whole = with_inferred_chords(piece, 4)
    monkeypatch.setattr(chord_inference, "MAX_CHORDS", 9)
    monkeypatch.setattr(lead_sheet_chords, "MAX_CHORDS", 9)
    cut = with_inferred_chords(piece, 4)
    assert cut.chord_steps.max() > 16 * 20
    assert (np.diff(cut.chord_steps) > 0).all()
    assert (cut.chord_steps % 8 == 0).all()
    assert set(cut.chords) & set(whole.chords)
    gaps = np.diff([*cut.chord_steps.tolist(), 16 * 23])
    assert gaps.max() <= 16 * 6
    empty = with_inferred_chords(piece_of([StepNote(0, 64, 60, is_drum=True)]), 4)
    assert set(empty.chords) <= {NO_CHORD}


# ---- real music


def _notes_by_instrument(encoded: EncodedPiece) -> Counter[int]:
    counts: Counter[int] = Counter()
    for example in encoded.examples:
        instrument = int(example.made_by.split("instrument ")[1].split(",")[0])
        counts[instrument] += int((example.events > NOTE_OFF).sum())
    return counts


def test_full_finds_at_least_what_magenta_finds() -> None:
    files, with_melodies = 0, 0
    for piece in real_pieces(150):
        magenta = MonoRnnEncoding().encode(piece)
        full = MonoRnnEncoding(full=True).encode(piece)
        files, with_melodies = files + 1, with_melodies + bool(full.examples)
        if len(np.unique(piece.tempo_qpms)) > 1 or len(np.unique(piece.numerators)) > 1:
            continue
        assert full.examples or not magenta.examples
        found, skylines = _notes_by_instrument(full), Counter[int]()
        for example in full.examples:
            if example.made_by.startswith("skyline"):
                skylines[int(example.made_by.split()[3].rstrip(","))] += 1
        for instrument, notes in _notes_by_instrument(magenta).items():
            assert found[instrument] >= notes or skylines[instrument], instrument
    assert with_melodies >= 0.95 * files


def test_real_lead_sheets_are_kept() -> None:
    kept = files = 0
    for path in real_files("leadsheets", 40):
        for score in readers.read_score(path.read_bytes(), path.name, "real"):
            piece = read_piece(score.payload)
            encoded = BasicImprovEncoding(full=True).encode(piece)
            magenta = BasicImprovEncoding(transpositions=(0,)).encode(piece)
            assert len(encoded.examples) >= len(magenta.examples)
            kept, files = kept + bool(encoded.examples), files + 1
    assert kept >= 0.97 * files


def test_attention_rnn_has_the_same_melodies() -> None:
    for piece in itertools.islice(real_pieces(12), 12):
        basic = BasicRnnEncoding(full=True).encode(piece)
        attention = AttentionRnnEncoding(full=True).encode(piece)
        assert events(basic) == events(attention)
        for example in attention.examples:
            labels = AttentionRnnEncoding().labels(example)
            assert 0 <= labels.min() <= labels.max() < AttentionRnnEncoding.num_classes
