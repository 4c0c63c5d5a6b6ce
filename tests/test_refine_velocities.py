"""What the Velocity Net is told: what goes on around a note, controls, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn

from corpus import shards
from tests.refine_music import score_of, song
from trainers.refining import pieces, predicting, tasks
from trainers.refining.dynamics_features import NUM_FEATURES, dynamics_features
from trainers.refining.measuring import Constants, fitting_dynamics
from trainers.refining.nets import DURATIONS, VELOCITIES, Told
from trainers.refining.pieces import BatchStream, Piece, single_notes, usable
from trainers.refining.score import USUAL_EXPRESSION, USUAL_VOLUME
from trainers.refining.surroundings import Surroundings
from trainers.refining.velocity_features import levels, velocity_features


def with_controls() -> Any:
    made = song(3)
    for time, number, value, instrument in (
        (2.0, 7, 40, 0), (4.0, 7, 90, 0), (4.0, 7, 80, 1), (0.0, 11, 100, 1), (1.0, 64, 127, 0),
    ):  # fmt: skip
        made.control_changes.add(
            time=time, control_number=number, control_value=value, instrument=instrument
        )
    return made


def test_controls_are_those_of_the_note_where_it_begins() -> None:
    score = score_of(with_controls())
    bass, tune = score.program == 33, (score.program == 0) & ~score.is_drum
    at = score.start
    assert set(score.volume[bass & (at < 1.9)]) == {USUAL_VOLUME}
    assert set(score.volume[bass & (at > 1.9) & (at < 3.9)]) == {40.0}
    assert set(score.volume[bass & (at > 3.9)]) == {90.0}
    assert set(score.volume[tune & (at < 3.9)]) == {USUAL_VOLUME}
    assert set(score.volume[tune & (at > 3.9)]) == {80.0}
    assert set(score.volume[score.is_drum]) == {USUAL_VOLUME}
    assert set(score.expression[tune]) == {100.0}
    assert set(score.expression[~tune]) == {USUAL_EXPRESSION}


def test_a_control_of_no_instrument_of_notes_is_nobodys() -> None:
    made = song(3)
    made.control_changes.add(time=0.0, control_number=7, control_value=3, instrument=5)
    assert set(score_of(made).volume) == {USUAL_VOLUME}


def test_controls_reach_the_net() -> None:
    before, after = (tasks.told_velocities(score_of(m)) for m in (song(3), with_controls()))
    assert not np.array_equal(before.numbers, after.numbers)


def test_columns_are_as_many_as_said_and_finite() -> None:
    made = song(4)
    for note in list(made.notes)[::7]:  # a pile of notes at once, and some far away
        made.notes.add(
            start_time=4.0, end_time=500.0, pitch=note.pitch, velocity=70, instrument=1, program=0
        )
    made.notes.add(start_time=9e4, end_time=9e4 + 1, pitch=60, velocity=70, instrument=2)
    score = score_of(made)
    columns = dynamics_features(score, Surroundings.of(score))
    assert len(columns) == NUM_FEATURES
    assert all(column.shape == (len(score),) for column in columns)
    told = velocity_features(score, Surroundings.of(score))
    assert np.isfinite(told).all()


def test_a_crowd_and_a_height_are_told() -> None:
    made = song(4)
    for at in range(40):
        made.notes.add(
            start_time=8.0 + at / 50, end_time=8.1 + at / 50, pitch=100, velocity=9, instrument=1
        )
    score = score_of(made)
    told = np.stack(dynamics_features(score, Surroundings.of(score)), axis=1)
    crowd, before = score.pitch == 100, (score.start < 6.0) & (score.program == 33)
    higher, denser = told[:, 2], told[:, 3]  # of the shortest span
    assert denser[crowd].min() > denser[before].max()
    assert higher[crowd].min() > higher[before].max()


class Parrot(nn.Module):
    """Says what it is to find out."""

    def guess(self, told: Told) -> Tensor:
        return told.target


@pytest.mark.parametrize("count", [1, 100, 1100])
def test_what_is_said_comes_back_to_its_note(count: int) -> None:
    made = song(5, bars=80)
    del made.notes[count:]
    for at, note in enumerate(made.notes):
        note.velocity = 1 + at % 127
    score = score_of(made)
    net: Any = Parrot()
    assert np.array_equal(predicting.velocities(net, score), score.velocity)


def test_notes_are_read_in_time_parts_side_by_side() -> None:
    score = score_of(song(6))
    order = tasks.in_time(score)
    assert np.all(np.diff(score.start[order]) >= 0)
    told = tasks.told_velocities(score)
    assert np.array_equal(told.is_drum, score.is_drum[order])
    assert np.any(told.is_drum[:-1] != told.is_drum[1:])


def flat(made: Any, program: int) -> Any:
    for note in made.notes:
        if note.program == program and not note.is_drum:
            note.velocity = 100
    return made


def test_what_nobody_played_is_not_learned() -> None:
    score = score_of(flat(song(2), 33))
    told = tasks.told_velocities(score)
    is_bass = (score.program == 33)[tasks.in_time(score)]
    assert np.array_equal(np.isnan(told.target)[~told.is_drum], is_bass[~told.is_drum])


def test_a_piece_without_dynamics_is_told_as_it_is() -> None:
    made = song(2)
    for note in made.notes:
        note.velocity = 64
    assert set(tasks.told_velocities(score_of(made)).target.tolist()) == {64.0}


def test_parts_get_the_means_that_they_had() -> None:
    score = score_of(song(3))
    own = levels(score, score.velocity * 1.0)
    loud = np.random.default_rng(0).uniform(30, 60, len(score))
    found = predicting.at_level(score, loud, own)
    assert np.allclose(levels(score, found), own)
    tune = (score.program == 0) & ~score.is_drum
    assert np.allclose(np.diff(found[tune]), np.diff(loud[tune]))


def write_pieces(folder: Path, songs: list[Any]) -> list[Piece]:
    path = str(folder / "pieces.tfrecord")
    offsets, at = [], 0
    payloads = [made.SerializeToString() for made in songs]
    for payload in payloads:
        offsets.append(at)
        at += shards.HEADER_BYTES + len(payload) + shards.FOOTER_BYTES
    shards.write_shard(path, payloads)
    return [Piece(str(number), path, offset) for number, offset in enumerate(offsets)]


def test_the_velocity_net_learns_from_pieces_that_somebody_played(tmp_path: Path) -> None:
    silent, short = song(1), song(2)
    for note in silent.notes:
        note.velocity = 80
    del short.notes[3:]
    found = usable(write_pieces(tmp_path, [song(0), silent, short]))
    assert [piece.track_id for piece in found[DURATIONS]] == ["0", "1"]
    assert [piece.track_id for piece in found[VELOCITIES]] == ["0"]


@pytest.mark.parametrize(("kind", "power"), [(DURATIONS, 0.0), (VELOCITIES, 0.5)])
def test_long_pieces_give_more_windows_to_the_velocity_net(
    kind: str, power: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = song(0)
    del short.notes[len(short.notes) // 5 :]
    lengths = [len(score_of(made)) for made in (song(0), short)]
    counts = dict.fromkeys(lengths, 0)
    cut = pieces.windows

    def counted(kind: str, told: Any, rng: np.random.Generator, count: int) -> Any:
        counts[len(told.target)] += count
        return cut(kind, told, rng, count)

    monkeypatch.setattr(pieces, "windows", counted)
    BatchStream(kind, write_pieces(tmp_path, [song(0), short]), 32, 0).batch(0)
    assert sum(counts.values()) == 16 * 32
    shares = np.array(lengths) ** power
    expected = shares / shares.sum() * 16 * 32
    assert list(counts.values()) == pytest.approx(expected.tolist(), abs=32)


def test_trees_learn_from_notes_whose_velocities_are_known(tmp_path: Path) -> None:
    songs = [flat(song(number), 33) for number in range(3)]
    found = single_notes(write_pieces(tmp_path, songs), 0)
    known = [int((~np.isnan(tasks.told_velocities(score_of(made)).target)).sum()) for made in songs]
    assert not np.isnan(found.target).any()
    assert not (found.classes[:, 0] == 33).any()  # the flat part
    assert len(found.target) == sum(min(int(9 * count**0.5), 800, count) for count in known)
    again = single_notes(write_pieces(tmp_path, songs), 0)
    assert np.array_equal(found.numbers, again.numbers)


def test_constants_of_played_parts_are_their_own(tmp_path: Path) -> None:
    made = flat(song(0), 33)
    for note in made.notes:
        if note.program == 0 and not note.is_drum:
            note.pitch = 36  # as the bass
    found = Constants.of(write_pieces(tmp_path, [made]))
    score = score_of(made)
    both = (score.pitch == 36) & ~score.is_drum
    assert found.velocity[36] == np.median(score.velocity[both])
    assert found.played[36] == np.quantile(
        score.velocity[both & (score.program == 0)], 0.5, method="lower"
    )
    assert found.velocity[36] != found.played[36]


class Louder(nn.Module):
    """Knows the velocities, but doubles their distance from 64."""

    def guess(self, told: Told) -> Tensor:
        return 64 + 2 * (told.target - 64)


def test_so_much_of_the_dynamics_counts_as_fits(tmp_path: Path) -> None:
    net: Any = Louder()
    songs = [song(number) for number in range(3)]
    for made in songs:
        for note in made.notes:
            note.velocity = 64 + (note.velocity - 80) // 4
    assert fitting_dynamics(net, write_pieces(tmp_path, songs)) == 0.5
    assert fitting_dynamics(net, []) == 1.0
