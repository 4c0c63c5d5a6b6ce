"""Our bytes of SequenceExamples against protobuf's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import example_proto, example_wire, shards
from corpus.encodings.results import EncodedExample
from corpus.example_proto import Example, Origin, SequenceExample

SHAPES = st.tuples(st.integers(1, 20), st.sampled_from([1, 2, 6, 74, 140]))
WIDTHS = st.sampled_from([1, 7, 8, 14, 15, 31, 40, 62])
CONTEXT = ("genre", "track_id", "split", "encoding", "made_by")


def protobufs(context: dict[str, str], lists: dict[str, np.ndarray]) -> bytes:
    """The same example by protobuf, a message a step."""
    message = SequenceExample()
    for key, text in context.items():
        message.context.feature[key].bytes_list.value.append(text.encode())
    for name, rows in lists.items():
        steps = message.feature_lists.feature_list[name].feature
        kind = "float_list" if rows.dtype.kind == "f" else "int64_list"
        for row in rows.reshape(len(rows), rows[0].size if len(rows) else 1).tolist():
            getattr(steps.add(), kind).value.extend(row)
    return bytes(message.SerializeToString(deterministic=True))


def integers(shape: tuple[int, int], width: int, seed: int, *, negative: bool) -> np.ndarray:
    low = -(1 << width) if negative else 0
    return np.random.default_rng(seed).integers(low, 1 << width, shape)


def squeezed(rows: np.ndarray) -> np.ndarray:
    return rows[:, 0] if rows.shape[1] == 1 else rows


@settings(deadline=None)
@given(SHAPES, SHAPES, WIDTHS, st.booleans(), st.integers(0, 99), st.text(max_size=70))
def test_examples_are_protobufs_bytes_and_come_back(
    shape: tuple[int, int],
    of_floats: tuple[int, int],
    width: int,
    negative: bool,
    seed: int,
    text: str,
) -> None:
    events = integers(shape, width, seed, negative=negative)
    floats = np.random.default_rng(seed).random(of_floats).astype(np.float32)
    controls: dict[str, np.ndarray] = {"zz": floats, "a": np.arange(300)}
    example = Example(events, "hip hop", "t" * 40, "train", "x", text, controls)
    payload = example_proto.serialize(example)
    context = {key: str(getattr(example, key)) for key in CONTEXT}
    assert payload == protobufs(context, {"events": events, **controls})
    back = example_proto.parse(payload)
    assert {key: getattr(back, key) for key in CONTEXT} == context
    for ours, expected in ((back.events, events), (back.controls["zz"], floats)):
        assert ours.dtype == expected.dtype
        assert np.array_equal(ours, squeezed(expected))
    assert np.array_equal(back.controls["a"], controls["a"])


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.text(max_size=300)), min_size=1, max_size=5),
    st.sampled_from([1, 2, 40]),
    WIDTHS,
    st.booleans(),
)
def test_records_of_a_piece_are_those_of_each_example(
    made: list[tuple[int, str]], columns: int, width: int, negative: bool
) -> None:
    examples = []
    for seed, (num_steps, made_by) in enumerate(made):
        rows = integers((num_steps, columns), width, seed, negative=negative)
        examples.append(EncodedExample(squeezed(rows), {}, made_by))
    origin = Origin("hip hop", "t" * 40, "train", "x")
    alone = [origin.serialize(e.events, e.controls, e.made_by) for e in examples]
    assert bytes(origin.frame(examples)) == b"".join(shards.framed(payload) for payload in alone)


def test_records_with_controls_are_those_of_each_example() -> None:
    controls = {"density": np.arange(3)}
    both = [EncodedExample(np.arange(3), of, "so") for of in ({}, controls)]
    origin = Origin("g", "t", "train", "x")
    alone = [origin.serialize(e.events, e.controls, e.made_by) for e in both]
    assert origin.frame(both) == b"".join(shards.framed(payload) for payload in alone)


@pytest.mark.parametrize("num_steps", [1, 2, 50])
def test_magentas_records_are_protobufs_bytes(num_steps: int) -> None:
    inputs = np.random.default_rng(0).random((num_steps, 74)).astype(np.float32)
    labels = integers((num_steps, 1), 9, 1, negative=False)[:, 0]
    expected = protobufs({}, {"inputs": inputs[:-1], "labels": labels[1:]})
    assert example_proto.serialize_as_magenta(inputs, labels) == expected


def test_other_kinds_of_numbers_are_written_as_these() -> None:
    rows: Any
    for rows in (np.arange(9, dtype=np.int32), np.arange(9) % 2 == 1, np.arange(18)[::2]):
        assert np.array_equal(example_wire.read_steps(example_wire.write_steps(rows)), rows)
    halves = np.arange(9) / 2
    assert np.array_equal(example_wire.read_steps(example_wire.write_steps(halves)), halves)


def test_nothing_stays_nothing() -> None:
    assert example_wire.write_steps(np.zeros(0, np.int64)) == b""
    assert len(example_wire.read_steps(b"")) == 0


@settings(deadline=None)
@given(SHAPES, WIDTHS, st.booleans(), st.data())
def test_damage_is_an_error_or_another_value(
    shape: tuple[int, int], width: int, is_float: bool, data: st.DataObject
) -> None:
    rows = integers(shape, width, 0, negative=False)
    content = bytearray(example_wire.write_steps(rows.astype(np.float32) if is_float else rows))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    try:
        read = example_wire.read_steps(bytes(content))
    except ValueError:
        return
    assert read.size <= len(content)


def test_a_cut_list_is_an_error() -> None:
    content = example_wire.write_steps(np.arange(200))
    whole = [7 * step for step in range(1, 128)]  # Classes below 128 take seven bytes.
    for end in range(1, 7 * 127):
        if end not in whole:
            with pytest.raises(ValueError, match="damaged"):
                example_wire.read_steps(content[:end])
    uneven = example_wire.write_steps(np.zeros((1, 2))) + example_wire.write_steps(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="different sizes"):
        example_wire.read_steps(uneven)
