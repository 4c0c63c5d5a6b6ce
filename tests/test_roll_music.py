"""Rolls as arrays, forms, and the scales that samples are asked for."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from corpus.config import SampleConfig
from corpus.encodings.pianoroll import PianorollEncoding
from trainers.models.parts import roll_conditions, roll_forms, roll_music


def test_figures_by_hand() -> None:
    one = np.zeros((4, 24), np.uint8)
    one[:2, 0] = one[2:, 12] = one[:, 7] = 1
    same = roll_music.figures([one, one])
    assert same["density"] == pytest.approx(8 / 96)
    assert same["class_entropy"] == pytest.approx(1.0)  # half of them class 0, half class 7
    assert same["key_entropy"] == pytest.approx(1.5)
    assert same["chord_entropy"] == pytest.approx(1.0)
    assert same["changes"] == pytest.approx(1 / 3)
    assert (same["distinct_keys"], same["distinct_rolls"], same["apart"]) == (3, 0.5, 0)
    assert same["consonant"] == 1.0  # fifths and fourths
    other = np.zeros_like(one)
    other[:, 1] = other[:, 2] = 1
    apart = roll_music.figures([one, other])
    assert (apart["apart"], apart["distinct_rolls"]) == (1.0, 1.0)
    assert apart["consonant"] == 0.5
    assert roll_music.scale_figures([one, other], [one, one])["in_scale"] == pytest.approx(0.75)


def test_notes_outside_the_range_are_moved_by_octaves() -> None:
    roll = np.zeros((1, 128), np.uint8)
    roll[0, [5, 30, 53, 54, 127]] = 1
    (keys,) = np.nonzero(roll_music.folded(roll, 30, 24)[0])
    assert keys.tolist() == [0, 11, 12, 13, 23]  # 54 is 30 + 24: an octave down; 5 is 35
    assert {(key + 30) % 12 for key in keys.tolist()} == {5, 30 % 12, 53 % 12, 127 % 12}


def test_the_range_of_keys_is_where_the_notes_are() -> None:
    counts = np.zeros(128)
    counts[40:88] = 1
    lowest = roll_music.lowest_key(counts, 60, 6)
    assert lowest <= 34
    assert lowest + 60 >= 94
    assert roll_music.lowest_key(counts[:50], 60, 6) == 0


def test_windows_begin_on_beats() -> None:
    beats = np.zeros((32, 128), np.uint8)
    for first in range(0, 32, 8):
        beats[first : first + 4, 60] = beats[first + 4 : first + 8, 62] = 1
    roll = beats[3:]  # beats are now at 1, 5, ...
    assert list(roll_music.starts(roll, 16)) == [1, 5, 9, 13]
    assert list(roll_music.starts(roll, 29)) == [0]


def test_forms() -> None:
    assert roll_forms.lengths("", 50) == [("A", 50)]
    assert roll_forms.lengths("abcab", 82) == [
        ("A", 16),
        ("B", 16),
        ("C", 16),
        ("A", 16),
        ("B", 18),
    ]
    shape = roll_forms.lengths("ABA", 48)
    a, b, again = roll_forms.parts(shape, 5, np.random.default_rng(0))
    assert torch.equal(a.noise, again.noise)
    assert not torch.equal(a.noise, b.noise)
    (alone,) = roll_forms.parts(roll_forms.lengths("", 16), 5, np.random.default_rng(0))
    assert torch.equal(a.noise, alone.noise)
    glide = roll_forms.gliding(40, 16, 5, np.random.default_rng(0))
    assert [part.num_steps for part in glide] == [16, 16, 8]
    torch.testing.assert_close(glide[1].noise, (glide[0].noise + glide[2].noise) / 2)


def test_conditions() -> None:
    drawn = np.roll(np.array([4, 0, 1, 0, 2, 1, 0, 4, 0, 1, 1, 1], np.float32), 3)
    drawn = (drawn / drawn.sum()).astype(np.float32)
    settings = SampleConfig()
    np.testing.assert_array_equal(roll_conditions.asked(settings, drawn, 30), drawn)
    in_d = roll_conditions.asked(dataclasses.replace(settings, key="D"), drawn, 0)
    np.testing.assert_allclose(in_d.sum(), 1, rtol=1e-6)
    assert in_d.argmax() in (2, 9)  # the tonic or the fifth of D
    assert not in_d[[0, 3, 5, 8, 10]].any()
    from_30 = roll_conditions.asked(dataclasses.replace(settings, key="b"), drawn, 30)
    np.testing.assert_allclose(np.roll(from_30, 30), in_d)  # B minor has D major's notes
    weights = (2.0, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1)
    told = roll_conditions.asked(
        dataclasses.replace(settings, pitch_class_histogram=weights), drawn, 31
    )
    np.testing.assert_allclose(told[5], 0.25)  # class 5 of keys from 31 on is that of C, 36


def test_pitch_classes_are_those_of_the_encodings_lowest_key() -> None:
    assert roll_conditions.first_pitch(PianorollEncoding(), 128) == 0
    cropped = PianorollEncoding(min_pitch=21, max_pitch=108)
    assert roll_conditions.first_pitch(cropped, 88) == 21
