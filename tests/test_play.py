"""Playing live: controls, OSC, events as they come, what is asked for, and the command."""

from __future__ import annotations

import io
import socket
import struct
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import torch

from corpus import command
from corpus.config import ExamplesConfig
from corpus.encodings import EncodedExample, open_encoding
from tests.encoding_pieces import StepNote, piece_of
from tests.test_controls import DENSITY, packet
from tests.tiny_bundles import tiny_model, write_bundle
from trainers import play
from trainers.live.controls import Control, ControlError, Score, parse_line, read_score
from trainers.live.followers import Message, follower_of
from trainers.live.listening import Ears
from trainers.live.player import Player, Recording

torch.set_num_threads(1)

C_MAJOR = (1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0)
PLAYABLE = (
    "basic_rnn", "mono_rnn", "lookback_rnn", "attention_rnn", "one_drum", "drum_kit",
    "basic_improv", "attention_improv", "chord_pitches_improv", "performance",
    "performance_with_dynamics", "performance_with_dynamics_and_modulo_encoding",
    "performance_with_dynamics_and_note_encoding", "multiconditioned_performance_with_dynamics",
    "optional_multiconditioned_performance_with_dynamics", "polyphony", "zeldic", "char_rnn",
    "conditional_char_rnn",
)  # fmt: skip


# Events as they come


def notes(sequence: object) -> list[tuple[float, float, int, int]]:
    found = getattr(sequence, "notes")  # noqa: B009
    return sorted(
        (round(n.start_time, 6), round(n.end_time, 6), n.pitch, n.velocity) for n in found
    )


def followed(encoding_name: str, events: np.ndarray, qpm: float) -> Recording:
    follower = follower_of(open_encoding(ExamplesConfig(encoding=encoding_name)), qpm)
    recording = Recording(follower.is_drums, 0, qpm)
    messages = [m for event in events for m in follower.push(np.atleast_1d(event))]
    messages += follower.end()
    recording.add(sorted(messages, key=lambda m: (m.seconds, m.velocity > 0)))
    return recording


@pytest.mark.parametrize(
    "name",
    [
        "basic_rnn", "mono_rnn", "attention_rnn", "zeldic", "one_drum", "drum_kit", "polyphony",
        "performance", "performance_with_dynamics", "performance_with_dynamics_and_note_encoding",
        "deep_symphony",
    ],
)  # fmt: skip
def test_what_is_heard_is_what_the_encoding_decodes(name: str) -> None:
    is_drum = "drum" in name
    random = np.random.default_rng(3)
    lengths = random.integers(1, 5, 160)
    starts = np.concatenate([[0], np.cumsum(lengths)])[:-1]
    pitches = random.integers(36, 51, 160) if is_drum else random.integers(50, 80, 160)
    piece = piece_of([
        StepNote(int(start), int(start + length), int(pitch), 90, is_drum=is_drum)
        for start, length, pitch in zip(starts, lengths, pitches, strict=True)
    ])  # fmt: skip
    encoding = open_encoding(ExamplesConfig(encoding=name))
    example = encoding.encode(piece).examples[0]
    wanted = notes(encoding.decode(EncodedExample(example.events), 90.0))
    assert len(wanted) > 20
    assert notes(followed(name, example.events, 90.0).sequence()) == wanted


def player_of(model: str, *, seed: int = 1, genres: tuple[str, ...] = ("rock",)) -> Player:
    made, encoding = tiny_model(model, genres)
    return Player(made, encoding, list(genres), seed=seed, qpm=120.0, noise=1.0)


def played(model: str, lines: list[str], seconds: float, *, seed: int = 1) -> Recording:
    player = player_of(model, seed=seed)
    recording = Recording(player.is_drums, 0, 120.0)
    errors: list[str] = []
    session = play.Session(player, read_score(lines, errors.append), recording)
    session.play(seconds)
    session.finish(min(seconds, player.now))
    assert not errors
    return recording


@pytest.mark.parametrize("model", PLAYABLE)
def test_every_family_plays_and_repeats_itself(model: str) -> None:
    seconds = 60.0 if model.endswith("note_encoding") else 6.0  # whose shifts may be of 10 s
    first, again = (notes(played(model, [], seconds).sequence()) for _ in range(2))
    assert first == again
    assert first != notes(played(model, [], seconds, seed=2).sequence())
    assert len(first) > 3
    assert all(0 <= start < end <= seconds for start, end, _, _ in first)


@pytest.mark.parametrize(
    "model",
    ["basic_rnn", "lookback_rnn", "attention_rnn", "performance_with_dynamics", "polyphony"],
)
def test_notes_follow_key_and_pitch(model: str) -> None:
    lines = ["key Eb", "pitch 72", "at 20 pitch 54"]
    found = notes(played(model, lines, 40.0).sequence())[1:]
    inside = [pitch % 12 in (3, 5, 7, 8, 10, 0, 2) for _, _, pitch, _ in found]
    assert np.mean(inside) > 0.85
    high = [pitch for start, _, pitch, _ in found if 1 < start < 20]
    low = [pitch for start, _, pitch, _ in found if start > 22]
    near = 10 if model == "polyphony" else 4  # each step goes down from its highest note
    assert abs(np.mean(high) - 72) < near
    assert abs(np.mean(low) - 54) < near


@pytest.mark.parametrize("model", ["basic_rnn", "performance", "drum_kit"])
def test_notes_become_as_many_as_asked_for(model: str) -> None:
    dense = played(model, ["density 6"], 40.0)
    sparse = played(model, ["density 1"], 40.0)
    assert abs(dense.num_notes / 40.0 - 6.0) < 1.5
    assert abs(sparse.num_notes / 40.0 - 1.0) < 0.75


def test_noise_is_the_temperature() -> None:
    def variety(noise: float) -> int:
        found = notes(played("mono_rnn", [f"noise {noise}"], 20.0).sequence())
        return len({pitch for _, _, pitch, _ in found})

    assert variety(0.05) < variety(1.0)


def test_conditioned_models_are_told() -> None:
    player = player_of("optional_multiconditioned_performance_with_dynamics")
    _, quiet = player.steering.feed.push(np.zeros((1, 1), np.int64))
    assert quiet[0, 0] == 1.0  # conditioning is off
    for line in ("density 8", "key C"):
        player.ask(parse_line(line)[0])
    _, row = player.steering.feed.push(np.zeros((1, 1), np.int64))
    assert row[0, 0] == 0.0
    assert row[0, 1:9].argmax() == 4  # four of Magenta's bounds are at most 8 notes a second
    assert np.allclose(row[0, 9:], np.array(C_MAJOR) / 7)
    assert player.steering.bias(np.arange(256), np.zeros(256, np.float32)) is None


def test_deep_symphony_is_told_pitch_density_and_key() -> None:
    player = player_of("conditional_char_rnn")
    _, row = player.steering.feed.push(np.zeros((1, 1), np.int64))
    assert not row.any()
    for line in ("density 32", "pitch 50", "key C"):
        player.ask(parse_line(line)[0])
    _, row = player.steering.feed.push(np.zeros((1, 1), np.int64))
    assert np.flatnonzero(row[0, :20]).tolist() == [0, 19]
    assert np.allclose(row[0, 20:], np.array(C_MAJOR) / 7)


def test_improv_models_are_told_chords() -> None:
    player = player_of("basic_improv")
    _, row = player.steering.feed.push(np.zeros((1, 1), np.int64))
    assert row[0, :49].argmax() == 0
    player.ask(Control("chord", "Am"))
    _, row = player.steering.feed.push(np.zeros((1, 1), np.int64))
    assert row[0, :49].argmax() == 1 + 12 + 9
    with pytest.raises(ControlError, match="Xq"):
        player.ask(Control("chord", "Xq"))
    with pytest.raises(ControlError, match="cannot be asked for a chord"):
        player_of("basic_rnn").ask(Control("chord", "Am"))


def test_genres_and_what_a_model_cannot_do() -> None:
    player = player_of("basic_rnn", genres=("jazz", "rock"))
    player.ask(Control("genre", "rock"))
    assert player.steering.genre == 1
    with pytest.raises(ControlError, match="jazz, rock"):
        player.ask(Control("genre", "polka"))
    with pytest.raises(ControlError, match="train --genre all"):
        player_of("basic_rnn").ask(Control("genre", "polka"))
    with pytest.raises(ControlError, match="cannot be asked for a key"):
        player_of("drum_kit").ask(Control("key", C_MAJOR))
    with pytest.raises(ValueError, match="cannot be played live"):
        player_of("notewise")


# Real time


class Time:
    """A clock that only sleeping, and a slow model, moves on."""

    def __init__(self) -> None:
        self.now = 100.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


class Heard(Ears):
    """Ears that hear something at the times of a clock."""

    def __init__(self, time_: Time, said: dict[float, str], end: float) -> None:
        super().__init__()
        self._time, self._said, self._end = time_, sorted(said.items()), 100.0 + end

    def heard(self) -> Iterator[Control | ControlError]:
        self.is_over = self._time.now >= self._end
        while self._said and 100.0 + self._said[0][0] <= self._time.now:
            yield from parse_line(self._said.pop(0)[1])


def test_live_playing_keeps_time_and_listens_meanwhile() -> None:
    time_ = Time()
    player = player_of("basic_rnn")
    recording = Recording(False, 0, 120.0)
    session = play.Session(player, Score(), recording)
    ears = Heard(time_, {4.0: "key Eb", 10.0: "stop"}, 60.0)
    assert session.play_live(0.0, ears, time_.clock, time_.sleep) == 0.0
    assert 9.9 < player.now < 10.3
    assert 9.9 < time_.now - 100.0 < 10.3
    late = [n.pitch % 12 in (3, 5, 7, 8, 10, 0, 2) for n in recording.sequence().notes
            if n.start_time > 4.3]  # fmt: skip
    assert np.mean(late) > 0.85


def test_live_playing_ends_with_the_input_or_after_seconds() -> None:
    for seconds, said, end, wanted in (
        (3.0, {}, 60.0, 3.0), (0.0, {}, 1.0, 60.0), (0.0, {1.0: "density 4"}, 2.0, 5.0),
    ):  # fmt: skip
        time_ = Time()
        player = player_of("basic_rnn")
        session = play.Session(player, Score(), Recording(False, 0, 120.0))
        session.play_live(seconds, Heard(time_, said, end), time_.clock, time_.sleep)
        assert abs(player.now - wanted) < 0.3


def test_osc_is_heard_over_udp() -> None:
    ears = Ears()
    port = ears.listen(0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for data in (b"garbage", DENSITY, packet("/genremill/pitch", "i", struct.pack(">i", 60))):
            sender.sendto(data, ("127.0.0.1", port))
    found: list[Control | ControlError] = []
    for _ in range(200):
        found += ears.heard()
        if len(found) == 3:
            break
        time.sleep(0.02)
    ears.close()
    assert isinstance(found[0], ControlError)
    assert found[1:] == [Control("density", 8.0), Control("pitch", 60.0)]
    with pytest.raises(ValueError, match="cannot listen to OSC"):
        Ears().listen(0, "192.0.2.1")


def test_lines_are_heard_until_the_input_ends() -> None:
    ears = Ears()
    ears.read(io.StringIO("density 8\nnonsense\n" + "x" * 9000 + "\npitch 60\n"))
    for _ in range(200):
        if ears.is_over:
            break
        time.sleep(0.01)
    found = list(ears.heard())
    assert [c for c in found if isinstance(c, Control)] == [
        Control("density", 8.0), Control("pitch", 60.0),
    ]  # fmt: skip
    assert ears.is_over


# The command


def run(data: Path, lines: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    given_ = ["--set", f"data={data}", "--set", "train.model=basic_rnn", *arguments]
    return command.run(play.main, given_)


def test_the_command_writes_the_same_bytes_for_the_same_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bundle(str(tmp_path), "basic_rnn", "hip hop")
    lines = "density 4\nat 3 key D\nbogus line\nat 6 stop\n"
    files = [tmp_path / "a.mid", tmp_path / "b.mid"]
    for file in files:
        assert run(tmp_path, lines, monkeypatch, "--genre", "hip hop", "--output", str(file)) == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    printed = capsys.readouterr()
    assert "line 3: no control 'bogus'" in printed.err
    music = pretty_midi.PrettyMIDI(str(files[0]))
    assert 4.0 < music.get_end_time() <= 6.01
    assert run(tmp_path, "", monkeypatch, "--genre", "hip hop", "--seconds", "2") == 0
    made = tmp_path / "samples" / "play" / "hip_hop.mid"
    assert pretty_midi.PrettyMIDI(str(made)).get_end_time() <= 2.01


def test_what_is_wrong_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bundle(str(tmp_path), "basic_rnn")
    for arguments, part in (
        ([], "say which model"),
        (["--genre", "polka"], "make examples train MODEL=basic_rnn"),
        (["--genre", "rock", "--seconds", "-1"], "--seconds"),
        (["--genre", "rock", "--program", "128"], "--program"),
        (["--genre", "rock", "--port", "no such port"], "MIDI port"),
    ):
        assert run(tmp_path, "", monkeypatch, *arguments) == 2
        assert part in capsys.readouterr().err


class FakePort:
    """A MIDI port that remembers."""

    def __init__(self) -> None:
        self.sent: list[types.SimpleNamespace] = []
        self.closed = False

    def send(self, message: types.SimpleNamespace) -> None:
        self.sent.append(message)

    def reset(self) -> None:
        self.sent.append(types.SimpleNamespace(kind="reset"))

    def close(self) -> None:
        self.closed = True


def test_a_port_gets_notes_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bundle(str(tmp_path), "basic_rnn")
    port = FakePort()
    fake = types.ModuleType("mido")
    fake.get_output_names = lambda: ["synth"]  # type: ignore[attr-defined]
    fake.open_output = lambda name: port  # type: ignore[attr-defined]
    fake.Message = (  # type: ignore[attr-defined]
        lambda kind, **values: types.SimpleNamespace(kind=kind, at=time.monotonic(), **values)
    )
    monkeypatch.setitem(sys.modules, "mido", fake)
    began = time.monotonic()
    more = ("--genre", "rock", "--seconds", "1", "--port", "synth", "--program", "5")
    assert run(tmp_path, "", monkeypatch, *more, "--output", str(tmp_path / "p.mid")) == 0
    assert time.monotonic() - began >= 0.9
    assert port.closed
    assert port.sent[0].kind == "program_change"
    assert port.sent[-1].kind == "reset"
    ons = [m for m in port.sent if m.kind == "note_on"]
    offs = [m for m in port.sent if m.kind == "note_off"]
    assert len(ons) == len(offs) > 1
    assert 0.4 < ons[-1].at - ons[0].at < 1.5


def test_ctrl_c_writes_what_was_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bundle(str(tmp_path), "basic_rnn")
    usual = Player.next
    events = iter(range(30))

    def interrupted(player: Player) -> list[Message]:
        if next(events, None) is None:
            raise KeyboardInterrupt
        return usual(player)

    for more in ((), ("--osc", "0")):
        events = iter(range(30))
        monkeypatch.setattr(Player, "next", interrupted)
        target = tmp_path / "p.mid"
        given_ = ("--genre", "rock", "--output", str(target), "--qpm", "900")
        assert run(tmp_path, "", monkeypatch, *given_, *more) == 0
        assert "stopped" in capsys.readouterr().err
        assert len(pretty_midi.PrettyMIDI(str(target)).instruments[0].notes) > 5
        target.unlink()
