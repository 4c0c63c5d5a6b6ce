"""Signatures, clusters and the three steps of finding duplicates."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from benchmarks import duplicates as benchmark
from benchmarks.perturbations import PERTURBATIONS
from benchmarks.synthetic import make_score
from corpus import clusters, shingles
from corpus.clusters import find_clusters
from corpus.duplicates import Tracks, find_duplicates
from corpus.notes import Floats, NoteArrays
from tests.test_analysis import shuffled

SIZE = shingles.SIGNATURE_SIZE


def song(seed: int) -> NoteArrays:
    """A score by chance, different for each seed."""
    return make_score(np.random.default_rng(seed))


def signature(arrays: NoteArrays) -> shingles.Signature:
    """The signature of a score that has one."""
    found = shingles.signature(arrays)
    assert found is not None
    return found


def similarity(one: NoteArrays, other: NoteArrays) -> float:
    """What two scores' signatures say."""
    return float((signature(one) == signature(other)).mean())


def melody(pitches: Sequence[int], program: int = 0) -> NoteArrays:
    """One instrument that plays the pitches, a quarter each."""
    count = len(pitches)
    start: Floats = np.arange(count, dtype=np.float64) / 2
    return dataclasses.replace(
        song(0),
        start=start,
        end=start + np.float64(0.4),
        pitch=np.array(pitches, np.int32),
        velocity=np.full(count, 80, np.int32),
        program=np.full(count, program, np.int32),
        instrument=np.zeros(count, np.int32),
        is_drum=np.zeros(count, np.bool_),
    )


# What changes no interval of any line, and what changes some.
SAME = ("transposed", "tempo x1.1", "times x2", "other programs")


@pytest.mark.parametrize("kind", PERTURBATIONS)
def test_copies_are_like_their_original(kind: str) -> None:
    random = np.random.default_rng(7)
    alike = [similarity(s, PERTURBATIONS[kind](s, random)) for s in map(song, range(20))]
    if kind in SAME:
        assert min(alike) == 1
    elif kind == "lead dropped":  # One of two lines that are heard: half of the music.
        assert np.mean(alike) > 0.15
    else:
        assert min(alike) > clusters.THRESHOLD, kind


def test_strangers_are_not_alike() -> None:
    signatures = np.stack([signature(song(seed)) for seed in range(40)])
    alike = (signatures[:, np.newaxis] == signatures).mean(axis=2)
    np.fill_diagonal(alike, 0)
    assert alike.max() < 0.1


def test_signature_depends_on_no_order_of_notes() -> None:
    for seed in range(5):
        assert similarity(shuffled(song(seed)), song(seed)) == 1


def test_signature_is_the_same_everywhere_and_always() -> None:
    # Stored in tables: if rensa or we hash otherwise, old tables must be made anew.
    tune = melody([60, 62, 64, 60, 67, 65, 71, 64] * 3 + [72, 60, 55, 62, 61, 70, 50, 53, 59, 48])
    assert signature(tune)[:4].tolist() == [3237250641, 3252487193, 3224593207, 1726090455]


@pytest.mark.parametrize(
    ("what", "pitches"),
    [
        ("nothing", []),
        ("a scale", list(range(36, 96))),
        ("a trill", [60, 62] * 50),
        ("one phrase again and again", [60, 62, 65, 64] * 100),
        ("a short call", [60, 67, 64, 72, 61, 70, 66, 59, 71, 62]),
    ],
)
def test_what_says_too_little_has_no_signature(what: str, pitches: list[int]) -> None:
    assert shingles.signature(melody(pitches)) is None, what


def test_drums_alone_have_no_signature() -> None:
    drums = dataclasses.replace(song(1), is_drum=np.ones_like(song(1).is_drum))
    assert shingles.signature(drums) is None


def test_drums_do_not_count() -> None:
    arrays = song(2)
    assert arrays.is_drum.any()
    other = dataclasses.replace(arrays, pitch=np.where(arrays.is_drum, 44, arrays.pitch))
    assert similarity(arrays, other) == 1


@pytest.mark.parametrize("scale", [1e-9, 1e9, 1e300])
def test_absurd_times_do_no_harm(scale: float) -> None:
    arrays = song(3)
    shingles.signature(dataclasses.replace(arrays, start=arrays.start * scale - scale))


def test_onsets_that_crowd_in_one_place_are_put_in_order_all_the_same() -> None:
    # One note long after the others leaves them too close together to be sorted by parts.
    base = song(3)
    names = ("end", "pitch", "velocity", "program", "instrument", "is_drum")
    columns: dict[str, Any] = {
        name: np.append(getattr(base, name), getattr(base, name)[-1:]) for name in names
    }
    late = dataclasses.replace(base, **columns, start=np.append(base.start, 1e14))
    found = shingles.shingles(late)
    assert sorted(found.tolist()) == sorted(shingles.shingles(shuffled(late)).tolist())
    assert shingles.signature(late) is not None


def test_onsets_that_crowd_take_no_time() -> None:
    random = np.random.default_rng(4)
    arrays = melody(random.integers(30, 90, 100_000).tolist())
    arrays = dataclasses.replace(arrays, start=np.append(random.uniform(0, 1, 99_999), 1e14))
    began = time.process_time()
    assert shingles.signature(arrays) is None  # Seen from so far, all of them are one chord.
    assert time.process_time() - began < 1


def plainly(arrays: NoteArrays) -> list[tuple[int, ...]]:
    """The windows of five intervals of all lines, found note by note."""
    pitched = [
        (s, i % 256, p)
        for s, i, p, d in zip(
            arrays.start.tolist(), arrays.instrument.tolist(), arrays.pitch.tolist(),
            arrays.is_drum.tolist(), strict=True,
        )
        if not d
    ]  # fmt: skip
    steps = [[n for n in pitched if n[0] == start] for start in sorted({n[0] for n in pitched})]
    lines = [[max(p for _, _, p in step) for step in steps]]
    lines.append([min(p for _, _, p in step) for step in steps])
    for line in {i for _, i, _ in pitched}:
        ours = [[p for _, i, p in step if i == line] for step in steps]
        lines.append([max(pitches) for pitches in ours if pitches])
    windows = []
    for pitches in lines:
        moves = [after - before for before, after in itertools.pairwise(pitches)]
        windows += [tuple(moves[at : at + 5]) for at in range(len(moves) - 4)]
    return [window for window in windows if len({move % 64 for move in window}) >= 3]


def test_shingles_are_those_of_the_lines_note_by_note() -> None:
    random = np.random.default_rng(11)
    for _ in range(20):
        arrays = melody(random.integers(30, 90, 200).tolist())
        arrays = dataclasses.replace(
            arrays,
            start=random.integers(0, 60, 200) / 4,
            instrument=random.integers(250, 260, 200).astype(np.int32),
            is_drum=random.random(200) < 0.1,
        )
        windows = plainly(arrays)
        found = shingles.shingles(arrays).tolist()
        assert (len(found), len(set(found))) == (len(windows), len(set(windows)))


def test_short_tunes_are_known_again_and_apart() -> None:
    random = np.random.default_rng(5)
    tunes = [melody((60 + np.cumsum(random.integers(-4, 5, 40)) % 24).tolist()) for _ in range(20)]
    assert all(similarity(t, PERTURBATIONS["transposed"](t, random)) == 1 for t in tunes)
    assert max(similarity(a, b) for a in tunes for b in tunes if a is not b) < clusters.THRESHOLD


def vary(base: shingles.Signature, share: float, seed: int) -> shingles.Signature:
    """A signature that keeps exactly the share of the places (rounded down)."""
    random = np.random.default_rng(seed)
    changed = base.copy()
    places = random.permutation(SIZE)[int(share * SIZE) :]
    changed[places] = random.integers(2**31, 2**32, len(places), dtype=np.uint32)
    return changed


def rows(*signatures: shingles.Signature) -> clusters.Signatures:
    """Signatures below each other."""
    return np.stack(signatures)


BASE = np.random.default_rng(0).integers(0, 2**31, SIZE, dtype=np.uint32)


def clusters_of(signatures: clusters.Signatures, **kwargs: float) -> list[int]:
    """The leaders, where the rows stand in order of preference."""
    count = len(signatures)
    found = find_clusters(signatures, np.ones(count, np.bool_), np.arange(count), **kwargs)
    return [int(leader) for leader in found]


@pytest.mark.parametrize(("places", "leader"), [(SIZE, 0), (64, 0), (63, 1), (0, 1)])
def test_threshold_decides(places: int, leader: int) -> None:
    other = vary(BASE, places / SIZE, 1)
    assert clusters_of(rows(BASE, other), threshold=0.5) == [0, leader]


def test_a_chain_does_not_put_strangers_together() -> None:
    middle = vary(BASE, 0.5, 1)
    far = vary(middle, 0.5, 2)
    assert (far == BASE).mean() < 0.3
    assert clusters_of(rows(BASE, middle, far), threshold=0.4) == [0, 0, 2]


def test_the_most_similar_leader_is_joined_and_the_preferred_of_equals() -> None:
    near, nearer = vary(BASE, 0.45, 1), vary(BASE, 0.6, 2)
    assert (near == nearer).mean() < 0.4
    assert clusters_of(rows(near, nearer, BASE), threshold=0.4) == [0, 1, 1]
    twins = rows(vary(BASE, 0.5, 3), vary(BASE, 0.5, 4), BASE)
    assert clusters_of(twins, threshold=0.45) == [0, 1, 0]


def test_rows_without_a_signature_lead_themselves() -> None:
    has = np.array([True, False, True, False])
    found = find_clusters(rows(BASE, BASE, BASE, BASE), has, np.arange(4))
    assert found.tolist() == [0, 1, 0, 3]
    none = np.zeros(4, np.bool_)
    assert find_clusters(rows(BASE, BASE, BASE, BASE), none, np.arange(4)).tolist() == [0, 1, 2, 3]
    assert find_clusters(np.zeros((0, SIZE), np.uint32), none[:0], np.arange(0)).tolist() == []


def test_clusters_depend_on_preference_and_not_on_rows() -> None:
    signatures = np.stack([vary(BASE, 0.2 + 0.6 * (i % 7) / 7, i) for i in range(60)])
    has = np.ones(60, np.bool_)
    preferred = np.random.default_rng(1).permutation(60)
    expected = find_clusters(signatures, has, preferred, 0.3)
    assert 1 < len(set(expected.tolist())) < 60
    moved = np.random.default_rng(2).permutation(60)  # new row i is old row moved[i]
    place = np.argsort(moved)
    found = find_clusters(signatures[moved], has, place[preferred], 0.3)
    assert moved[found][place].tolist() == expected.tolist()


def test_pairs_over_the_threshold_are_compared() -> None:
    pairs = [rows(vary(BASE, 0.0, i), vary(vary(BASE, 0.0, i), 0.35, 1000 + i)) for i in range(500)]
    found = clusters_of(np.concatenate(pairs), threshold=0.3)
    joined = sum(leader == 2 * i for i, leader in enumerate(found[1::2]))
    assert joined >= 495


def test_a_bucket_of_all_the_world_takes_no_square_of_time() -> None:
    count = 30_000
    signatures = np.random.default_rng(0).integers(0, 2**32, (count, SIZE), dtype=np.uint32)
    signatures[:, : SIZE // 8] = 7
    started = time.process_time()
    assert clusters_of(signatures) == list(range(count))
    assert time.process_time() - started < 5  # 0.4 here; 15 if all were compared with all


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="there must be as many"):
        find_clusters(rows(BASE, BASE), np.ones(3, np.bool_), np.arange(3))
    with pytest.raises(ValueError, match="of 128 numbers"):
        find_clusters(rows(BASE)[:, :64], np.ones(1, np.bool_), np.arange(1))


def tracks(*listed: dict[str, Any]) -> Tracks:
    """Columns of tracks that differ in everything that is not given."""
    table: list[dict[str, Any]] = [
        {"id": f"id{i}", "md5": f"md5 {i}", "tune": "", "hash": f"hash {i}", "notes": 10,
         "warned": False, "path": f"path {i}", "signature": vary(BASE, 0.0, i), **given}
        for i, given in enumerate(listed)
    ]  # fmt: skip
    columns = {key: [row[key] for row in table] for key in table[0]}
    return Tracks(
        track_ids=columns["id"],
        md5s=columns["md5"],
        tunes=columns["tune"],
        content_hashes=columns["hash"],
        num_notes=columns["notes"],
        has_warnings=columns["warned"],
        paths=columns["path"],
        signatures=np.stack([BASE if s is None else s for s in columns["signature"]]),
        has_signature=np.array([s is not None for s in columns["signature"]]),
    )


def test_three_steps_in_their_order() -> None:
    found = find_duplicates(
        tracks(
            {"md5": "m", "hash": "h", "signature": BASE},
            {"md5": "m", "hash": "h", "signature": BASE},
            {"md5": "n", "hash": "h", "signature": BASE},
            {"signature": vary(BASE, 0.7, 99)},
            {},
            {"signature": None},
        )
    )
    assert found.duplicate_kind == ["", "bytes", "notes", "near", "", ""]
    assert found.cluster == ["id0", "id0", "id0", "id0", "id4", "id5"]
    assert found.duplicate_of == ["", "id0", "id0", "id0", "", ""]


def test_kinds_left_in_keep_one_track_of_each() -> None:
    # 2 and 3 have the same bytes, and are near 0: without `bytes` and `notes`, 0 and 2 remain.
    near = vary(BASE, 0.7, 5)
    given: list[dict[str, Any]] = [
        {"signature": BASE, "notes": 99},
        {},
        {"md5": "m", "signature": near},
    ]
    found = find_duplicates(tracks(*given, {**given[2]}))
    assert found.duplicate_kind == ["", "", "near", "bytes"]
    assert found.cluster == ["id0", "id1", "id0", "id0"]


def test_tunes_of_one_book_are_no_copies_of_each_other() -> None:
    book: list[dict[str, Any]] = [
        {"md5": "book", "tune": str(i), "path": "book.abc"} for i in range(3)
    ]
    assert find_duplicates(tracks(*book, {**book[1], "path": "copy.abc"})).duplicate_kind == [
        "", "", "", "bytes",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("best", "other"),
    [
        ({"warned": False, "notes": 1, "path": "z"}, {"warned": True, "notes": 9, "path": "a"}),
        ({"notes": 9, "path": "z"}, {"notes": 1, "path": "a"}),
        ({"path": "a"}, {"path": "b"}),
        ({"path": "Z"}, {"path": "a"}),
        ({"path": "z"}, {"path": "é"}),
        ({"path": "\udcc3"}, {"path": "\udcc4"}),
    ],
)
def test_the_best_track_represents(best: dict[str, Any], other: dict[str, Any]) -> None:
    best, other = {**best, "hash": "h"}, {**other, "hash": "h"}
    assert find_duplicates(tracks(best, other)).cluster == ["id0", "id0"]
    assert find_duplicates(tracks(other, best)).cluster == ["id1", "id1"]


def test_near_duplicates_can_be_left_alone() -> None:
    twins = tracks({"signature": BASE}, {"signature": BASE})
    assert find_duplicates(twins, threshold=1.01).duplicate_kind == ["", ""]
    assert find_duplicates(twins, threshold=1.0).duplicate_kind == ["", "near"]


def test_benchmark_runs_without_music(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmark, "NUM_SYNTHETIC", 12)
    monkeypatch.setattr(benchmark, "NUM_CLUSTERED", 50)
    monkeypatch.setattr("sys.argv", ["duplicates"])
    benchmark.main()
    printed = capsys.readouterr().out
    assert "12 scores, threshold 0.3" in printed
    assert all(kind in printed for kind in PERTURBATIONS)
    assert "clustering 50 scores" in printed
