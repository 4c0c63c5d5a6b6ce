"""The facts of a score, on scores whose facts are known."""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from note_seq.protobuf import music_pb2

from corpus import analysis, notes

Note = music_pb2.NoteSequence.Note
C_MAJOR_CHORD = [Note(pitch=p, start_time=0, end_time=2) for p in (60, 64, 67)]


def score(*listed: Any, **fields: Any) -> notes.NoteArrays:
    """A score of notes and whatever else a NoteSequence has."""
    sequence = music_pb2.NoteSequence(notes=listed, **fields)
    return notes.parse(sequence.SerializeToString())


def line(starts: list[float], length: float = 0.1, **fields: Any) -> notes.NoteArrays:
    """A score with a note at each time."""
    listed = [Note(pitch=60, start_time=t, end_time=t + length) for t in starts]
    return score(*listed, **fields)


def test_nothing_is_a_score_too() -> None:
    facts = analysis.describe(score())
    assert facts == analysis.Facts(
        num_notes=0, seconds=0.0, qpm=120.0, median_qpm=120.0, num_tempos=0, num_time_signatures=0,
        time_signature="", key="", key_confidence=0.0, programs=[], num_instruments=0,
        has_drums=False, has_chords=False, polyphony=0.0, max_polyphony=0, pitch_min=0, pitch_max=0,
        on_grid_4=0.0, on_grid_12=0.0,
    )  # fmt: skip


def test_counts_and_names() -> None:
    arrays = score(
        *C_MAJOR_CHORD,
        Note(pitch=70, start_time=1, end_time=2, program=40, instrument=3),
        Note(pitch=35, start_time=0, end_time=1, is_drum=True, instrument=9, program=7),
        Note(pitch=90, start_time=1, end_time=2, program=200, instrument=3),
        total_time=7.5,
        tempos=[{"time": 3, "qpm": 50}, {"time": 0, "qpm": 90}],
        time_signatures=[
            {"time": 4, "numerator": 4, "denominator": 4},
            {"time": 0, "numerator": 6, "denominator": 8},
        ],
        text_annotations=[
            {"text": "C", "annotation_type": 1},
            {"text": "la", "annotation_type": 2},
        ],
    )
    facts = analysis.describe(arrays)
    assert (facts.num_notes, facts.seconds, facts.qpm) == (6, 7.5, 90.0)
    assert (facts.num_tempos, facts.num_time_signatures, facts.time_signature) == (2, 2, "6/8")
    assert (facts.programs, facts.num_instruments) == ([0, 40], 3)
    assert (facts.has_drums, facts.has_chords) == (True, True)
    assert (facts.pitch_min, facts.pitch_max) == (60, 90)


def test_only_chord_symbols_are_chords() -> None:
    lyrics = score(text_annotations=[{"text": "la", "annotation_type": 2}])
    assert not analysis.describe(lyrics).has_chords


def test_polyphony_counts_what_sounds_while_something_does() -> None:
    # Two notes for a second, silence, then one note for two seconds; a drum on top.
    facts = analysis.describe(
        score(
            Note(pitch=60, start_time=0, end_time=1),
            Note(pitch=64, start_time=0, end_time=1),
            Note(pitch=60, start_time=5, end_time=7),
            Note(pitch=35, start_time=0, end_time=9, is_drum=True),
        )
    )
    assert facts.polyphony == pytest.approx(4 / 3)
    assert facts.max_polyphony == 2


def polyphony_by_definition(spans: list[tuple[float, float]]) -> tuple[float, int]:
    """(mean while something sounds, most), by looking at every time at which something happens."""
    times = sorted({edge for span in spans for edge in span})
    busy, total, most = 0.0, 0.0, 0
    for now, after in itertools.pairwise(times):
        sounding = sum(start <= now < end for start, end in spans)
        busy += (after - now) * (sounding > 0)
        total += (after - now) * sounding
        most = max(most, sounding)
    return (total / busy if busy else 0.0), most


ONSETS = st.one_of(st.integers(0, 12).map(float), st.sampled_from([0.1, 7.7, 1e8, 1e-300]))


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(ONSETS, st.sampled_from([0.0, 0.5, 1.0, 3.0])), max_size=40))
def test_polyphony_is_that_of_the_definition(listed: list[tuple[float, float]]) -> None:
    spans = [(start, start + length) for start, length in listed]
    facts = analysis.describe(score(*(Note(start_time=s, end_time=e) for s, e in spans)))
    mean, most = polyphony_by_definition([(s, e) for s, e in spans if e > s])
    assert facts.polyphony == pytest.approx(mean)
    assert facts.max_polyphony == most


@pytest.mark.parametrize("scale", [1.0, 1e-308, 0.0])
@pytest.mark.parametrize("far", [0.0, 9e8])
def test_onsets_that_crowd_take_no_time_and_count_as_they_are(scale: float, far: float) -> None:
    # Apart from one note, all of them begin in a millionth of the time, in disorder.
    random = np.random.default_rng(2)
    start = np.append(random.uniform(0, 10, 100_000) * scale, far)
    zeros: Any = np.zeros(len(start), np.int32)
    arrays = dataclasses.replace(
        line([0.0]),
        **dict.fromkeys(("pitch", "program", "instrument"), zeros),
        start=start,
        end=start + 1,
        is_drum=np.zeros(len(start), np.bool_),
    )
    began = time.process_time()
    facts = analysis.describe(arrays)
    assert time.process_time() - began < 1
    ordered = np.sort(start)
    begun = np.searchsorted(ordered, np.sort(arrays.end))
    assert facts.max_polyphony == (begun - np.arange(len(start))).max()


def test_notes_that_touch_do_not_sound_together() -> None:
    facts = analysis.describe(line([2.0, 1.0, 0.0, 3.0], length=1.0))
    assert (facts.polyphony, facts.max_polyphony) == (1.0, 1)


@pytest.mark.parametrize(
    ("tonic", "scale", "name"),
    [
        (0, (0, 2, 4, 5, 7, 9, 11, 12), "C major"),
        (9, (0, 2, 3, 5, 7, 8, 11, 12), "A minor"),
        (3, (0, 2, 4, 5, 7, 9, 11, 12), "Eb major"),
        (6, (0, 2, 3, 5, 7, 8, 11, 12), "F# minor"),
    ],
)
def test_key_of_a_scale_and_its_chord(tonic: int, scale: tuple[int, ...], name: str) -> None:
    pitches = [60 + tonic + degree for degree in (*scale, scale[0], scale[2], scale[4])]
    drums = [Note(pitch=61 + tonic, start_time=0, end_time=99, is_drum=True)]
    listed = [Note(pitch=p, start_time=i, end_time=i + 1) for i, p in enumerate(pitches)]
    facts = analysis.describe(score(*listed, *drums))
    assert facts.key == name
    assert 0.8 < facts.key_confidence <= 1


def test_key_weighs_notes_by_how_long_they_sound() -> None:
    weights = np.zeros(12)
    weights[[0, 4, 7]] = 1
    assert analysis.estimate_key(weights)[0] == "C major"
    weights[[9, 2, 5]] = (0, 5, 5)
    weights[9] = 5
    assert analysis.estimate_key(weights)[0] == "D minor"


def test_no_key_where_all_fit_alike() -> None:
    assert analysis.estimate_key(np.ones(12)) == ("", 0.0)
    assert analysis.estimate_key(np.zeros(12)) == ("", 0.0)


def test_median_tempo_is_the_one_that_lasts() -> None:
    setup = line(
        [0.0, 60.0],
        tempos=[{"time": 0, "qpm": 200}, {"time": 2, "qpm": 80}, {"time": 58, "qpm": 40}],
    )
    facts = analysis.describe(setup)
    assert (facts.qpm, facts.median_qpm) == (200.0, 80.0)


def test_a_tempo_of_nothing_is_none() -> None:
    facts = analysis.describe(line([0.0, 0.25], tempos=[{"qpm": 0}, {"qpm": -3}]))
    assert (facts.qpm, facts.median_qpm, facts.num_tempos) == (120.0, 120.0, 2)
    assert facts.on_grid_4 == 1.0


def test_grids_follow_the_tempos() -> None:
    # Quarters of 0.5 s up to 2 s, then of 1 s. Sixteenths, then triplets of eighths.
    tempos = [{"time": 0, "qpm": 120}, {"time": 2, "qpm": 60}]
    sixteenths = [0.0, 0.125, 2.0, 2.25, 3.5]
    triplets = [2 + 1 / 3, 2 + 2 / 3, 3 + 1 / 12]
    off = [0.06, 2.44]
    facts = analysis.describe(line(off + triplets + sixteenths, tempos=tempos))
    assert facts.on_grid_4 == pytest.approx(5 / 10)
    assert facts.on_grid_12 == pytest.approx(8 / 10)


def test_grid_takes_half_a_tick_of_64_and_no_more() -> None:
    quarter = 0.5
    inside, outside = analysis.GRID_TOLERANCE * 0.99, analysis.GRID_TOLERANCE * 1.01
    assert analysis.describe(line([(1 + inside) * quarter])).on_grid_4 == 1
    assert analysis.describe(line([(1 - inside) * quarter])).on_grid_4 == 1
    assert analysis.describe(line([(1 + outside) * quarter])).on_grid_4 == 0


def test_shares_of_random_onsets_are_as_documented() -> None:
    starts = np.random.default_rng(0).uniform(0, 1000, 20_000).tolist()
    facts = analysis.describe(line(starts))
    assert facts.on_grid_4 == pytest.approx(0.0625, abs=0.01)
    assert facts.on_grid_12 == pytest.approx(0.1875, abs=0.01)


TIMES = st.one_of(st.floats(-1e3, 1e3), st.floats(allow_nan=False, allow_infinity=False))


@settings(deadline=None)
@given(
    st.lists(st.tuples(TIMES, TIMES, st.integers(-(2**31), 2**31 - 1), st.booleans()), max_size=8),
    st.lists(st.tuples(TIMES, TIMES), max_size=4),
)
@pytest.mark.filterwarnings("error")
def test_facts_of_absurd_scores_are_numbers(
    listed: list[tuple[float, float, int, bool]], tempos: list[tuple[float, float]]
) -> None:
    facts = analysis.describe(
        score(
            *(
                Note(start_time=s, end_time=e, pitch=p, program=p, is_drum=d)
                for s, e, p, d in listed
            ),
            tempos=[{"time": t, "qpm": q} for t, q in tempos],
        )
    )
    values = [v for v in dataclasses.astuple(facts) if isinstance(v, float)]
    assert all(math.isfinite(value) for value in values)
    assert 0 <= facts.on_grid_4 <= 1
    assert 0 <= facts.polyphony <= facts.max_polyphony + 1e-6


def shuffled(arrays: notes.NoteArrays, **changed: Any) -> notes.NoteArrays:
    """The same notes in another order."""
    order = np.random.default_rng(3).permutation(len(arrays.start))
    names = ("start", "end", "pitch", "velocity", "program", "instrument", "is_drum")
    columns = {name: getattr(arrays, name)[order] for name in names}
    return dataclasses.replace(arrays, **{**columns, **changed})


@pytest.fixture
def song() -> notes.NoteArrays:
    """A score with some of everything."""
    listed = [
        Note(pitch=48 + i * 7 % 36, start_time=i / 7, end_time=i / 7 + 0.2, program=i % 3,
             is_drum=i % 5 == 0, velocity=i + 1, instrument=i % 4)
        for i in range(100)
    ]  # fmt: skip
    return score(*listed, tempos=[{"qpm": 100}], total_time=15)


def test_facts_do_not_depend_on_the_order_of_notes(song: notes.NoteArrays) -> None:
    assert analysis.describe(shuffled(song)) == analysis.describe(song)


def test_content_hash_is_of_the_notes_alone(song: notes.NoteArrays) -> None:
    same = shuffled(
        song,
        velocity=np.ones(100, np.int32),
        instrument=np.zeros(100, np.int32),
        tempo_qpms=np.array([33.0]),
        total_time=99.0,
    )
    assert analysis.content_hash(same) == analysis.content_hash(song)


def test_content_hash_is_the_same_everywhere_and_always() -> None:
    # A table of tracks holds it: another number for the same notes would be a new corpus.
    assert analysis.content_hash(score(*C_MAJOR_CHORD)) == "c39ae21c45738f8759b0ead60e44afcc"


@pytest.mark.parametrize("field", ["start", "end", "pitch", "program", "is_drum"])
def test_content_hash_sees_one_changed_note(song: notes.NoteArrays, field: str) -> None:
    changed = getattr(song, field).copy()
    changed[50] = not changed[50] if field == "is_drum" else changed[50] + 1
    other = dataclasses.replace(song, **{field: changed})
    assert analysis.content_hash(other) != analysis.content_hash(song)


def test_content_hash_sees_a_doubled_note_and_exchanged_fields() -> None:
    one, two = C_MAJOR_CHORD[:2]
    hashes = {
        analysis.content_hash(score(*listed))
        for listed in (
            [], [one], [one, one], [one, one, one], [one, two], [one, two, two],
            [Note(pitch=60, start_time=1, end_time=2), Note(pitch=61, start_time=3, end_time=4)],
            [Note(pitch=61, start_time=1, end_time=2), Note(pitch=60, start_time=3, end_time=4)],
            [Note(pitch=60, start_time=1, end_time=4), Note(pitch=61, start_time=3, end_time=2)],
        )
    }  # fmt: skip
    assert len(hashes) == 9


def test_content_hash_rounds_to_the_millisecond() -> None:
    exact, near, far = (
        score(Note(pitch=60, start_time=t, end_time=2)) for t in (1, 1.0004, 1.0006)
    )
    assert analysis.content_hash(exact) == analysis.content_hash(near)
    assert analysis.content_hash(exact) != analysis.content_hash(far)
