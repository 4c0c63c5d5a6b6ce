"""The polyphonic benchmark: reading MATLAB's files, likelihoods of frames, the command's lines."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import math
import struct
import zlib
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from corpus.config import TrainConfig
from corpus.records import TEST, TRAIN, VALIDATION
from tests import makers
from trainers import engine, matlab, piano_rolls
from trainers.data import Feeder
from trainers.features import PADDING, Feeding, collate
from trainers.hparams import Hparams
from trainers.models.base import SequenceModel, State
from trainers.piano_rolls import END, NUM_KEYS, FrameWise, NoteWise, Roll, RollIndex
from trainers.proving import polyphonic

scipy_io = pytest.importorskip("scipy.io")
torch.set_num_threads(1)
NAMES = {TRAIN: "traindata", VALIDATION: "validdata", TEST: "testdata"}


def cell(rolls: list[np.ndarray]) -> np.ndarray:
    found = np.empty((1, len(rolls)), object)
    for at, roll in enumerate(rolls):
        found[0, at] = roll
    return found


def mat(variables: dict[str, Any], *, compressed: bool = True) -> bytes:
    """A file as scipy writes it."""
    buffer = io.BytesIO()
    scipy_io.savemat(buffer, variables, do_compression=compressed)
    return buffer.getvalue()


def piece(num_frames: int, seed: int) -> Roll:
    """A scale of triads that goes up and around, so that there is something to learn."""
    roll = np.zeros((num_frames, NUM_KEYS), np.int64)
    for frame in range(num_frames):
        root = 30 + (seed + frame) % 7
        roll[frame, [root, root + 4, root + 7]] = 1
    return roll


def small_file(folder: Path, dtype: str = "uint8") -> str:
    path = folder / "small.mat"
    rolls = {
        variable: cell([piece(12 + n, 3 * at + n).astype(dtype) for n in range(3)])
        for at, variable in enumerate(NAMES.values())
    }
    path.write_bytes(mat(rolls))
    return str(path)


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "float32", "float64"])
def test_cell_arrays_are_those_that_scipy_wrote(dtype: str, compressed: bool) -> None:
    draw = np.random.default_rng(0)
    wanted = [draw.integers(0, 2, (n, 88)).astype(dtype) for n in (1, 7, 30)]
    wanted.append(np.array([[1, 2, 3]], dtype))
    given_ = {"number": 3.0, "text": "words", "rolls": cell(wanted), "one": cell(wanted[:1])}
    found = matlab.read_cells(mat(given_, compressed=compressed))
    assert sorted(found) == ["one", "rolls"]
    assert len(found["rolls"]) == len(wanted)
    for got, expected in zip(found["rolls"], wanted, strict=True):
        np.testing.assert_array_equal(got, expected)
        assert got.shape == expected.shape


@given(arrays.arrays(np.uint8, st.integers(0, 400)))
def test_any_bytes_are_cells_or_a_clear_error(noise: np.ndarray) -> None:
    head = mat({})[:128]
    for data in (noise.tobytes(), head + noise.tobytes()):
        with contextlib.suppress(ValueError):
            matlab.read_cells(data)


@pytest.mark.parametrize("compressed", [True, False])
def test_every_cut_and_changed_byte_is_read_or_refused(compressed: bool) -> None:
    data = mat({"traindata": cell([piece(3, 0).astype("uint8")])}, compressed=compressed)
    draw = np.random.default_rng(0)
    for at in range(128, len(data)):
        changed = bytearray(data)
        changed[at] ^= int(draw.integers(1, 256))
        for broken in (data[:at], bytes(changed)):
            with contextlib.suppress(ValueError):
                matlab.read_cells(broken)


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matlab, "MAX_BYTES", 1 << 20)
    packed = zlib.compress(bytes(1 << 24))
    bomb = mat({})[:128] + struct.pack("<II", 15, len(packed)) + packed
    with pytest.raises(ValueError, match="unpacks to over 1048576 bytes"):
        matlab.read_cells(bomb)
    monkeypatch.setattr(matlab, "MAX_FILE_BYTES", 1000)
    with pytest.raises(ValueError, match="over 1000"):
        matlab.read_cells(bytes(1001))
    monkeypatch.setattr(matlab, "MAX_CELLS", 2)
    with pytest.raises(ValueError, match="over 2 cells"):
        matlab.read_cells(mat({"x": cell([np.ones((2, 2))] * 3)}, compressed=False)[:1000])


def rolls_of_bits(num_frames: int, seed: int, share: float = 0.05) -> Roll:
    return (np.random.default_rng(seed).random((num_frames, NUM_KEYS)) < share).astype(np.int64)


def test_notes_are_the_frames_and_back() -> None:
    roll = rolls_of_bits(40, 0)
    roll[[0, 5, 39]] = 0  # silence is a frame that only ends
    encoding = NoteWise()
    example = encoding.example(roll)
    frames: list[list[int]] = [[]]
    for event in example.events.tolist():
        if event == END:
            frames.append([])
        else:
            frames[-1].append(event)
    assert frames.pop() == []
    assert frames == [np.flatnonzero(row).tolist() for row in roll]
    # What a step is told has ended by then: nothing of what is to be predicted.
    beside, ended = encoding.beside(example), 0
    for step, event in enumerate(example.events.tolist()):
        ended += event == END
        wanted = roll[ended - 1] if ended else np.zeros(NUM_KEYS)
        np.testing.assert_array_equal(beside[step], wanted)


@pytest.mark.parametrize("first", [[], [40], [40, 44, 47]])
def test_the_first_frame_is_context(first: list[int]) -> None:
    roll = rolls_of_bits(5, 1)
    roll[0] = 0
    roll[0, first] = 1
    encoding = NoteWise()
    labels = encoding.labels(encoding.example(roll))
    assert labels[: len(first) + 1].tolist() == [PADDING] * (len(first) + 1)
    assert (labels != PADDING).sum() == roll[1:].sum() + 4
    assert piano_rolls.num_predicted([roll, roll]) == 8


class Uniform(SequenceModel):
    """Says that everything is equally likely."""

    def __init__(self, feeding: Feeding) -> None:
        super().__init__()
        self.class_sizes = feeding.class_sizes
        self.nothing = torch.nn.Parameter(torch.zeros(1))

    def initial_state(self, batch_size: int) -> State:
        return ()

    def forward(self, features: Any, state: State) -> tuple[torch.Tensor, State]:
        shape = (*features.vectors.shape[:2], sum(self.class_sizes))
        return torch.zeros(shape) + self.nothing, state

    def step(self, features: Any, state: State) -> tuple[torch.Tensor, State]:
        raise NotImplementedError


@pytest.mark.parametrize("kind", [FrameWise, NoteWise])
def test_nats_per_frame_are_all_nats_by_all_frames_but_the_first(kind: Any) -> None:
    rolls = [rolls_of_bits(n, n) for n in (2, 9, 30)]
    encoding = kind()
    feeding = Feeding.of(encoding)
    config = TrainConfig(device="cpu")
    trainer = engine.Trainer(
        Uniform(feeding), Hparams(batch_size=2), config, Feeder(encoding, feeding),
        engine.Machine.of(config), 0,
    )  # fmt: skip
    index = RollIndex.of(map(encoding.example, rolls))
    found = polyphonic._nats_per_frame(trainer, index, rolls)
    num_frames = 1 + 8 + 29
    if kind is FrameWise:
        assert found == pytest.approx(NUM_KEYS * math.log(2), rel=1e-5)
    else:
        notes = sum(int(roll[1:].sum()) for roll in rolls)
        assert found == pytest.approx((notes / num_frames + 1) * math.log(89), rel=1e-5)


def test_transposed_and_cut_rolls_lose_nothing() -> None:
    roll = np.zeros((5, NUM_KEYS), np.int64)
    roll[:, [2, 85]] = 1
    up = piano_rolls.transposed(roll, 2)
    assert up is not None
    assert np.flatnonzero(up[0]).tolist() == [4, 87]
    down = piano_rolls.transposed(roll, -2)
    assert down is not None
    assert np.flatnonzero(down[0]).tolist() == [0, 83]
    assert piano_rolls.transposed(roll, 3) is piano_rolls.transposed(roll, -3) is None
    assert piano_rolls.transposed(roll, 0) is not None
    for num_frames in (2, 3, 20, 64, 65):
        whole = rolls_of_bits(num_frames, 0)
        found = piano_rolls.parts(whole, 10)
        # Each part's first frame is context, so every frame but the first is predicted once.
        np.testing.assert_array_equal(np.vstack([part[1:] for part in found]), whole[1:])
        np.testing.assert_array_equal(found[0][0], whole[0])
        assert all(2 <= len(part) <= 16 for part in found)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"traindata": cell([piece(3, 0)])}, "no pieces in validdata"),
        ({"traindata": cell([np.full((3, 88), 2)])}, "not every matrix of traindata"),
        ({"traindata": cell([np.zeros((3, 87))])}, "not every matrix of traindata"),
        ({"traindata": cell([np.zeros((1, 88))])}, "no pieces in traindata"),
        ({"traindata": cell([np.array("words")])}, "no matrix of real numbers"),
    ],
)
def test_what_is_no_file_of_the_benchmark_is_named(
    variables: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "other.mat"
    path.write_bytes(mat(variables))
    with pytest.raises(ValueError, match=message):
        piano_rolls.read_splits(str(path))


def test_a_missing_file_and_an_unknown_benchmark_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown benchmark 'bach'; known: jsb, nottingham"):
        list(polyphonic.benchmark("bach", ""))
    with pytest.raises(ValueError, match=r"JSB_Chorales\.mat; get it from https://"):
        list(polyphonic.benchmark("jsb", ""))
    with pytest.raises(ValueError, match=r"cannot read .*missing\.mat"):
        list(polyphonic.benchmark("jsb", str(tmp_path / "missing.mat")))


def quick(setting: polyphonic.Setting, num_steps: int = 60) -> polyphonic.Setting:
    hparams = setting.hparams.changed("rnn_layer_sizes=[16],batch_size=4,learning_rate=0.03")
    return dataclasses.replace(setting, hparams=hparams, num_steps=num_steps, eval_every=20)


@pytest.mark.parametrize("at", [0, 1])
def test_both_models_learn_and_a_seed_repeats(at: int, tmp_path: Path) -> None:
    setting = quick(polyphonic.BENCHMARKS["jsb"].settings[at])
    path = small_file(tmp_path)
    first, again = (polyphonic.run(setting, path, 0) for _ in range(2))
    assert (first.validation, first.test) == (again.validation, again.test)
    assert polyphonic.run(setting, path, 1).test != first.test
    assert polyphonic.run(quick(setting, 1), path, 0).test > first.test + 1
    assert first.step in (20, 40, 60)


def test_the_table_has_every_seed_their_mean_and_what_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = polyphonic.BENCHMARKS["jsb"]
    setting = quick(asked.settings[1], 2)
    small = dataclasses.replace(asked, settings=(setting,))
    monkeypatch.setitem(polyphonic.BENCHMARKS, "jsb", small)
    path = small_file(tmp_path)
    lines = list(polyphonic.benchmark("jsb", path, seeds=(0, 5)))
    ours = [line for line in lines if line.startswith("note-wise LSTM")]
    assert [line.split()[2] for line in ours] == ["0", "5", "mean"]
    tests = [float(line.split()[4]) for line in ours]
    assert tests[2] == pytest.approx((tests[0] + tests[1]) / 2, abs=0.001)
    assert tests[1] == pytest.approx(polyphonic.run(setting, path, 5).test, abs=0.001)
    assert any(line.startswith("TCN") and line.endswith("8.10") for line in lines)


def test_the_public_files_have_the_published_sizes() -> None:
    folder = makers.SHARED / "polyphonic"
    if not folder.is_dir():
        pytest.skip("no files in ../shared")
    sizes = {
        name: [(len(rolls), sum(map(len, rolls))) for rolls in piano_rolls.read_splits(
            str(folder / benchmark.file)).values()]
        for name, benchmark in polyphonic.BENCHMARKS.items()
    }  # fmt: skip
    assert sizes["jsb"] == [(229, 13807), (76, 4602), (77, 4725)]
    assert sizes["nottingham"] == [(694, 176561), (173, 45513), (170, 44463)]


def test_batches_of_notes_say_what_is_predicted() -> None:
    encoding = cast(Any, NoteWise())
    rolls = [rolls_of_bits(4, 0), rolls_of_bits(9, 1)]
    batch = collate([encoding.example(roll) for roll in rolls], encoding, Feeding.of(encoding))
    assert batch.num_events == sum(int(roll[1:].sum()) + len(roll) - 1 for roll in rolls)
    assert batch.features.vectors.shape[-1] == NUM_KEYS
