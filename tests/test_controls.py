"""What is said to a model that plays: control lines, scores of them, and OSC."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.live import osc
from trainers.live.controls import Control, ControlError, of_message, parse_line, read_score

C_MAJOR = (1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("line", "controls"),
    [
        ("density 8", [Control("density", 8.0)]),
        ("at 2.5 key C", [Control("key", C_MAJOR, 2.5)]),
        ("key a", [Control("key", C_MAJOR)]),
        ("key F#m", [Control("key", tuple(np.roll(C_MAJOR, 9).tolist()))]),
        ("key 2 0 0 0 0 0 0 1 0 0 0 0", [Control("key", (2.0, *[0.0] * 6, 1.0, *[0.0] * 4))]),
        ("density off", [Control("density")]),
        ("genre hip hop", [Control("genre", "hip hop")]),
        ("  # a comment", []),
        ("", []),
        ("at 3 stop", [Control("stop", None, 3.0)]),
        (
            '{"at": 4, "pitch": 72, "noise": 0.5}',
            [Control("pitch", 72.0, 4.0), Control("noise", 0.5, 4.0)],
        ),
        ('{"key": [1,0,1,0,1,1,0,1,0,1,0,1]}', [Control("key", C_MAJOR)]),
        ('{"chord": null}', [Control("chord")]),
    ],
)  # fmt: skip
def test_control_lines(line: str, controls: list[Control]) -> None:
    assert parse_line(line) == controls


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("volume 3", "no control 'volume'; there are pitch"),
        ("density", "no value"),
        ("density loud", "density is a number from 0 to 200, not 'loud'"),
        ("density nan", "number"),
        ("pitch 128", "pitch is a number from 0 to 127"),
        ("key H", "'H' is no key"),
        ("key 0 0 0 0 0 0 0 0 0 0 0 0", "above 0"),
        ('{"key": [1, 2]}', "12 weights"),
        ("at density 8", "at is a number"),
        ("at 1e999 density 8", "at is a number"),
        ("at 3", "after `at`"),
        ("{not json", "no JSON"),
        ('{"density": true}', "number"),
        ('{"density": {}}', "number"),
        ("x" * 5000, "4096"),
    ],
)
def test_what_is_no_control_is_said(line: str, part: str) -> None:
    with pytest.raises(ControlError, match=part):
        parse_line(line)


@given(st.text(max_size=80) | st.from_regex(r'(at |\{"|key |density )[ -~]{0,20}'))
@settings(max_examples=300, deadline=None)
def test_no_line_does_harm(line: str) -> None:
    try:
        controls = parse_line(line)
    except ControlError:
        return
    assert all(isinstance(control, Control) for control in controls)


def test_a_score_of_controls_is_in_order_of_time() -> None:
    told: list[str] = []
    lines = ["density 1", "at 4 density 2", "noise 2", "nonsense", "at 2 pitch 60"]
    score = read_score(lines, told.append)
    assert told == ["line 4: 'nonsense' has no value; write it as `density 8`"]
    assert (score.last, score.num_added) == (4.0, 4)
    assert [(c.name, c.at) for c in score.take(1.0)] == [("density", 0.0)]
    assert [(c.name, c.at) for c in score.take(4.0)] == [
        ("pitch", 2.0), ("density", 4.0), ("noise", 4.0),
    ]  # fmt: skip
    assert score.take(9.0) == []


def osc_text(value: str) -> bytes:
    data = value.encode() + b"\0"
    return data + b"\0" * (-len(data) % 4)


def packet(address: str, tags: str, *arguments: bytes) -> bytes:
    return osc_text(address) + osc_text("," + tags) + b"".join(arguments)


DENSITY = packet("/genremill/density", "f", struct.pack(">f", 8.0))


def test_osc_messages_and_bundles() -> None:
    every = packet(
        "/a", "ifsbhdTFN", struct.pack(">i", -3), struct.pack(">f", 0.5), osc_text("abc"),
        struct.pack(">i", 5) + b"12345\0\0\0", struct.pack(">q", 1 << 40), struct.pack(">d", 2.5),
    )  # fmt: skip
    (message,) = osc.parse(every)
    assert message == ("/a", (-3, 0.5, "abc", b"12345", 1 << 40, 2.5, True, False, None))
    assert osc.parse(osc_text("/old")) == [("/old", ())]
    inner = b"#bundle\0" + bytes(8) + struct.pack(">i", len(DENSITY)) + DENSITY
    outer = b"#bundle\0" + bytes(8) + struct.pack(">i", len(inner)) + inner
    assert osc.parse(outer) == [("/genremill/density", (8.0,))]
    for _ in range(10):
        outer = b"#bundle\0" + bytes(8) + struct.pack(">i", len(outer)) + outer
    with pytest.raises(osc.OscError, match="nested"):
        osc.parse(outer)


def test_osc_messages_as_controls() -> None:
    assert of_message(osc.parse(DENSITY)[0]) == Control("density", 8.0)
    weights = tuple(int(weight) for weight in C_MAJOR)
    assert of_message(osc.OscMessage("/genremill/key", weights)) == Control("key", C_MAJOR)
    assert of_message(osc.OscMessage("/genremill/key", ("C",))) == Control("key", C_MAJOR)
    assert of_message(osc.OscMessage("/genremill/stop", ())) == Control("stop")
    for address, given_ in (("/other/density", (1.0,)), ("/genremill/density", (b"",))):
        with pytest.raises(ControlError):
            of_message(osc.OscMessage(address, given_))


@given(st.binary(max_size=200), st.integers(0, len(DENSITY) - 1), st.integers(0, 255))
@settings(max_examples=400, deadline=None)
def test_no_packet_does_harm(data: bytes, at: int, byte: int) -> None:
    damaged = DENSITY[:at] + bytes([byte]) + DENSITY[at + 1 :]
    for each in (data, DENSITY[:at], damaged, b"#bundle\0" + data, b"#bundle\0" + bytes(8) + data):
        try:
            messages = osc.parse(each)
        except osc.OscError:
            continue
        for message in messages:
            try:
                of_message(message)
            except ControlError:
                continue
