"""The figures that samples are judged by: hand-made cases, and slow formulas that say the same."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.judged_corpus import midi_of, piece_of_midi
from tests.judged_music import as_words, music, steady, walks
from trainers.judging import bootstrap, figures, judge, overlap
from trainers.judging.bleu import References
from trainers.judging.bootstrap import Sample
from trainers.judging.classifier import Classifier, features
from trainers.judging.music import Music, line_of, music_of, windows
from trainers.judging.originality import Library

RNG = np.random.default_rng


# Music and lines.


def test_times_are_quarters_whatever_the_tempo() -> None:
    slow, fast = (
        music_of(piece_of_midi(midi_of([60, 62, 64], [1, 0.5, 2], qpm=qpm)), "m")
        for qpm in (60.0, 150.0)
    )
    np.testing.assert_allclose(slow.start, [0, 1, 1.5], atol=0.01)
    np.testing.assert_allclose(fast.start, slow.start, atol=0.01)
    np.testing.assert_allclose(fast.end, [1, 1.5, 3.5], atol=0.01)


def test_windows_cut_notes_and_leave_out_what_does_not_fill_one() -> None:
    long = music([(0, 6, 60), (5, 9, 64), (8, 9, 65)])
    assert long.num_bars == 3
    first, second, _ = windows(long, 1)
    assert (first.start.tolist(), first.end.tolist()) == ([0.0], [4.0])
    assert (second.start.tolist(), second.end.tolist()) == ([1.0], [4.0])
    assert second.pitch.tolist() == [64]
    (both,) = windows(long, 2)
    assert both.end.tolist() == [6.0, 8.0]


@given(st.lists(st.integers(40, 80), min_size=3, max_size=30), st.integers(-20, 20))
@settings(max_examples=30, deadline=None)
def test_a_line_knows_no_key_and_no_tempo(pitches: list[int], moved: int) -> None:
    line = line_of(steady(pitches))
    other = line_of(steady([pitch + moved for pitch in pitches], length=1.5))
    assert line.words.tolist() == other.words.tolist()
    assert len(line.words) == len(pitches) - 2


def test_a_line_tells_intervals_and_rhythms_apart() -> None:
    found = {
        tuple(line_of(case).words)
        for case in (
            steady([60, 62, 64, 65]),
            steady([60, 62, 63, 65]),
            music([(0, 1, 60), (1, 2, 62), (2, 4, 64), (4, 5, 65)]),
        )
    }
    assert len(found) == 3


def test_of_a_chord_the_highest_note_is_in_the_line() -> None:
    chords = [(float(i), i + 1.0, p - d) for i, p in enumerate([60, 64, 62, 67]) for d in (0, 4, 9)]
    assert line_of(music(chords)).words.tolist() == line_of(steady([60, 64, 62, 67])).words.tolist()


def test_lines_of_drums_are_what_is_struck() -> None:
    beat = [(i / 2, i / 2 + 0.1, 36 if i % 2 else 38) for i in range(8)]
    other = [(i / 2, i / 2 + 0.1, 36 if i % 2 else 42) for i in range(8)]
    one, two = (line_of(music(notes, drums=True)).words for notes in (beat, other))
    assert one.tolist()[::2] == two.tolist()[::2]
    assert one.tolist()[1] != two.tolist()[1]


def test_a_short_or_silent_line_has_no_words() -> None:
    assert not len(line_of(steady([60, 62])).words)
    nothing = Music(np.empty(0), np.empty(0), np.empty(0, np.int64), np.empty(0, np.bool_))
    assert not len(line_of(nothing).words)
    assert windows(nothing, 1) == []


# BLEU, by hand.


def test_precision_is_papinenis_example() -> None:
    the, cat, is_, on, mat, there, a = range(7)
    references = References(
        [as_words([the, cat, is_, on, the, mat]), as_words([there, is_, a, cat, on, the, mat])]
    )
    found = references.score([as_words([the] * 7)], RNG(0))
    assert found.precisions[0] == pytest.approx(2 / 7)
    assert found.bleu == 0.0


def test_bleu_by_hand() -> None:
    references = References([as_words([1, 2, 3, 4, 5, 7])])
    found = references.score([as_words([1, 2, 3, 4, 5, 6])], RNG(0))
    assert found.precisions == pytest.approx([5 / 6, 4 / 5, 3 / 4, 2 / 3, 1 / 2])
    assert found.bleu == pytest.approx((1 / 3) ** 0.25)
    assert found.bleu_2_to_5 == pytest.approx(0.2**0.25)
    assert found.brevity_penalty == 1.0
    assert found.low is None
    short = References([as_words([1, 2, 3, 4, 5, 6])]).score([as_words([1, 2, 3, 4, 5])], RNG(0))
    assert short.bleu == pytest.approx(math.exp(1 - 6 / 5))


def test_the_sources_bleu_is_the_geometric_mean_of_2_to_5_grams() -> None:
    printed = np.array([0.634829, 0.4328294, 0.458399, 0.392238])
    assert float(np.exp(np.log(printed).mean())) == pytest.approx(0.47145658866999296, abs=1e-6)


def test_the_interval_of_bleu_is_over_candidates() -> None:
    references = References([as_words(list(range(10)))])
    same, none = as_words(list(range(10))), as_words(list(range(30, 40)))
    assert references.score([same] * 5, RNG(0)).low == 1.0
    mixed = references.score([same, none] * 5, RNG(0))
    assert mixed.low is not None
    assert mixed.high is not None
    assert mixed.low < mixed.bleu < mixed.high


# Figures.


def test_figures_of_a_scale() -> None:
    scale = steady([60, 62, 64, 65, 67, 69, 71, 60])
    assert figures.scale_consistency(scale, 2) == 1.0
    assert figures.pitch_range(scale, 2) == 11.0
    assert figures.notes_per_quarter(scale, 2) == 1.0
    assert figures.note_length(scale, 2) == 1.0
    assert figures.groove_consistency(scale, 2) == 1.0
    shares = np.array([2, 1, 1, 1, 1, 1, 1]) / 8
    expected = -(shares * np.log2(shares)).sum()
    assert figures.pitch_class_entropy(scale, 2) == pytest.approx(expected)


def test_all_twelve_classes_fit_no_scale() -> None:
    every = steady(list(range(60, 72)))
    assert figures.pitch_class_entropy(every, 3) == pytest.approx(math.log2(12))
    assert figures.scale_consistency(every, 3) == pytest.approx(7 / 12)


def test_groove_is_the_mean_over_pairs_of_bars() -> None:
    onsets = [{0, 4, 8}, {0, 4, 9}, {2, 4, 8, 12}]
    notes = [
        (bar * 4 + at / 4, bar * 4 + at / 4 + 0.2, 60)
        for bar, ats in enumerate(onsets)
        for at in ats
    ]
    pairs = itertools.combinations(onsets, 2)
    expected = np.mean([1 - len(one ^ other) / 16 for one, other in pairs])
    assert figures.groove_consistency(music(notes), 3) == pytest.approx(expected)
    assert math.isnan(figures.groove_consistency(music(notes), 1))


def test_polyphony_and_empty_bars() -> None:
    held = music([(0, 2, 60), (1, 3, 64), (12, 13, 60)])
    assert figures.polyphony(held, 4) == pytest.approx(5 / 4)
    assert figures.empty_bars(held, 4) == pytest.approx(0.5)
    across = music([(3, 5, 60)])
    assert figures.empty_bars(across, 2) == 0.0


def test_pitches_of_drums_are_no_figures() -> None:
    beat = music([(i, i + 0.1, 36) for i in range(8)], drums=True)
    for name, figure in figures.FIGURES.items():
        assert math.isnan(figure.of(beat, 2)) == figure.needs_pitch, name


# Intervals.


def test_values_of_one_owner_make_no_figure_surer() -> None:
    values, owners = list(np.arange(10.0)), [str(i) for i in range(10)]
    one = Sample(values, owners).estimate(RNG(0))
    same = Sample(values * 20, owners * 20).estimate(RNG(0))
    assert one is not None
    assert same is not None
    assert (one.low, one.high) == (same.low, same.high)
    assert one.low is not None
    assert one.low < one.mean == 4.5


def test_one_owner_has_no_interval_and_no_value_no_estimate() -> None:
    single = Sample([1.0, 2.0], ["a", "a"]).estimate(RNG(0))
    assert single is not None
    assert single.low is None
    assert Sample([math.nan], ["a"]).estimate(RNG(0)) is None
    assert bootstrap.difference(Sample([1.0], ["a"]), Sample([1.0], ["b"]), RNG(0)) is None


def test_the_interval_holds_the_mean_nineteen_times_in_twenty() -> None:
    held = 0
    for seed in range(200):
        values = RNG(seed).normal(3.0, 1.0, 40)
        found = Sample(values, [str(i) for i in range(40)]).estimate(RNG(seed))
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 3.0 <= found.high
    assert 0.89 <= held / 200 <= 0.99


# Overlap.


def described(values: np.ndarray, num_owners: int | None = None) -> overlap.Described:
    owners = np.arange(len(values)) % (num_owners or len(values))
    return overlap.Described(values.reshape(-1, 1), owners)


def test_overlap_of_the_same_and_of_other_music() -> None:
    rng = RNG(0)
    real, same = described(rng.normal(0, 1, 60)), described(rng.normal(0, 1, 60))
    near = overlap.overlap(same, real)
    far = overlap.overlap(described(rng.normal(8, 1, 60)), real)
    assert near.overlap > 0.9 > 0.2 > far.overlap
    assert near.divergence < 0.1 < 1 < far.divergence
    assert near.low is not None
    assert far.high is not None
    assert near.low <= near.overlap
    assert far.high < near.low


def test_what_never_changes_overlaps_wholly() -> None:
    found = overlap.overlap(described(np.ones(6)), described(np.ones(6)))
    assert (found.overlap, found.divergence, found.low) == (1.0, 0.0, 1.0)


def test_windows_of_one_piece_are_no_pair() -> None:
    corners = np.eye(4)  # as far from each other, each of them
    real = overlap.Described(np.tile(corners[:3], (4, 1)), np.tile(np.arange(3), 4))
    samples = overlap.Described(np.tile(corners[3:], (5, 1)), np.arange(5))
    assert overlap.overlap(samples, real).overlap == pytest.approx(1.0)


def test_features_that_are_not_there_are_left_out() -> None:
    beat = [music([(i, i + 0.1, 36) for i in range(8)], str(n), drums=True) for n in range(3)]
    found = overlap.features(beat, 2)
    assert "pitch_range" not in found
    assert "interval_histogram" not in found
    assert found["rhythm_histogram"].rows.sum(1).tolist() == pytest.approx([1.0] * 3)


# The classifier.


def test_the_classifier_tells_steps_from_leaps_and_guesses_where_nothing_differs() -> None:
    def tunes(moves: list[int], count: int, seed: int) -> list[Music]:
        rng = RNG(seed)
        return [
            steady((60 + np.cumsum(rng.permutation(moves * 4))).tolist(), f"{seed}-{i}")
            for i in range(count)
        ]

    kinds = {"steps": [-1, 1, 2, -2], "leaps": [-7, 7, 5, -5]}
    train = {kind: tunes(moves, 30, 1) for kind, moves in kinds.items()}
    rows = np.array([features(one) for kind in kinds for one in train[kind]])
    judged = Classifier(list(kinds), rows, np.repeat([0, 1], 30))
    real = {kind: tunes(moves, 20, 2) for kind, moves in kinds.items()}
    found = judged.confuse(real, rng=RNG(0))
    assert found.rows == {"steps": [20, 0], "leaps": [0, 20]}
    assert found.accuracy is not None
    assert found.accuracy.mean == 1.0
    samples = judged.confuse({"x": real["steps"], "none": []}, {"x": "leaps"})
    assert (samples.rows, samples.right, samples.accuracy) == ({"x": [20, 0]}, {"x": 0.0}, None)
    same = Classifier(
        list("ab"), np.array([features(m) for m in train["steps"]]), np.arange(30) % 2
    )
    guessed = same.confuse(
        {"a": tunes(kinds["steps"], 100, 3), "b": tunes(kinds["steps"], 100, 4)}, rng=RNG(0)
    )
    assert guessed.accuracy is not None
    assert guessed.accuracy.mean == pytest.approx(0.5, abs=0.12)


# One genre.


def test_a_genre_without_held_out_music_says_what_is_missing() -> None:
    found = judge.judge("g", walks(8, "s", 1), [], Library(walks(20, "t", 2)), {}, 0)
    told = " ".join(found.notes)
    assert "no held-out piece" in told
    assert "BLEU is left out" in told
    assert "overlap and divergence are left out" in told
    assert found.figures["pitch_range"].real is None
    assert found.originality is not None


def test_halves_share_no_owner() -> None:
    first, second = judge.halves(walks(30, "r", 1, owners=7), RNG(0))
    assert len(first) + len(second) == 30
    assert not {each.owner for each in first} & {each.owner for each in second}
    assert first
    assert second
