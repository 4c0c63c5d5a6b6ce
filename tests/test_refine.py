"""What refining does to files, and the command."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import torch

from corpus import command, readers
from corpus.encodings import to_midi
from corpus.encodings.piece import Piece, read_piece
from tests.refine_music import SMALL, make_corpus, no_config, score_of, song
from trainers import bundle, refine
from trainers.bundle import BundleError
from trainers.refining import applying, bundles, job, tasks
from trainers.refining.midi_edit import MidiEdit
from trainers.refining.nets import DURATIONS, KINDS, VELOCITIES, Sequence
from trainers.refining.score import Score
from trainers.refining.velocity_features import levels


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def nets_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Nets that have learned a little."""
    torch.set_num_threads(1)
    work = job.Job(make_corpus(str(tmp_path_factory.mktemp("nets"))), "rock", 20, SMALL)
    work.train()
    return work.bundle_path


def rich_midi() -> bytes:
    """A file with all that a refinement must leave alone."""
    file = mido.MidiFile(type=1, ticks_per_beat=480)
    head, tune, drums = mido.MidiTrack(), mido.MidiTrack(), mido.MidiTrack()
    file.tracks += [head, tune, drums]
    head += [
        mido.MetaMessage("set_tempo", tempo=500_000),
        mido.MetaMessage("time_signature", numerator=3),
        mido.MetaMessage("marker", text="verse", time=960),
        mido.MetaMessage("set_tempo", tempo=400_000, time=960),
        mido.MetaMessage("end_of_track", time=100),
    ]  # fmt: skip
    tune += [
        mido.MetaMessage("track_name", name="tune"),
        mido.Message("program_change", program=40, channel=2),
        mido.Message("sysex", data=(1, 2, 3)), mido.MetaMessage("lyrics", text="la"),
    ]  # fmt: skip
    for at in range(24):
        tune += [
            mido.Message("note_on", note=60 + at % 5, velocity=70 + at, channel=2, time=40),
            mido.Message("control_change", control=64, value=at, channel=2, time=100),
            mido.Message("pitchwheel", pitch=at * 10, channel=2, time=100),
            mido.Message("note_on", note=60 + at % 5, velocity=0, channel=2, time=240),
        ]
        drums += [
            mido.Message("note_on", note=36, velocity=100, channel=9, time=200),
            mido.Message("note_off", note=36, velocity=5, channel=9, time=280),
        ]
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def events(midi: bytes, *, of_notes: bool) -> list[list[tuple[int, str]]]:
    """(tick, message) of every track: what begins notes, or all that is of no note."""
    found = []
    for track in mido.MidiFile(file=io.BytesIO(midi)).tracks:
        tick, mine = 0, []
        for message in track:
            tick += message.time
            plain = message.copy(time=0)
            is_on = message.type == "note_on" and message.velocity > 0
            if of_notes and is_on:
                mine.append((tick, f"{message.channel} {message.note}"))
            elif not of_notes and message.type not in ("note_on", "note_off", "end_of_track"):
                mine.append((tick, str(plain)))
        found.append(mine)
    return found


def read_notes(midi: bytes) -> Piece:
    return read_piece(readers.read_score(midi, "a.mid", "test")[0].payload)


def test_only_lengths_and_velocities_differ(nets_path: str, tmp_path: Path) -> None:
    source = tmp_path / "in.mid"
    source.write_bytes(rich_midi())
    nets, _ = bundles.load_nets(nets_path)
    done = applying.refine(nets, str(source), applying.Wish(durations=True, velocities=True))
    assert done.warnings == ()
    assert done.num_lengths > 0
    assert done.num_velocities > 0
    for of_notes in (False, True):
        assert events(done.midi, of_notes=of_notes) == events(rich_midi(), of_notes=of_notes)
    before, after = read_notes(rich_midi()), read_notes(done.midi)
    assert np.array_equal(before.start, after.start)
    assert np.array_equal(before.program, after.program)
    assert not np.array_equal(before.end, after.end)
    drums = before.is_drum
    assert np.array_equal(before.end[drums], after.end[drums])
    assert np.array_equal(before.velocity[drums], after.velocity[drums])
    ratios = (after.end - after.start)[~drums] / (before.end - before.start)[~drums]
    assert ratios.min() > 0.82
    assert ratios.max() < 1.26


def test_each_net_does_its_own(nets_path: str, tmp_path: Path) -> None:
    source = tmp_path / "in.mid"
    source.write_bytes(rich_midi())
    nets, _ = bundles.load_nets(nets_path)
    before = read_notes(rich_midi())
    lengths = applying.refine(nets, str(source), applying.Wish(True, False)).midi
    assert np.array_equal(read_notes(lengths).velocity, before.velocity)
    loud = applying.refine(nets, str(source), applying.Wish(False, True)).midi
    assert np.array_equal(read_notes(loud).end, before.end)
    neither = applying.refine(nets, str(source), applying.Wish(False, False)).midi
    again = read_notes(neither)
    assert np.array_equal(again.end, before.end)
    assert np.array_equal(again.velocity, before.velocity)


def test_drums_are_refined_where_that_is_asked_for(nets_path: str, tmp_path: Path) -> None:
    source = tmp_path / "in.mid"
    source.write_bytes(rich_midi())
    nets, _ = bundles.load_nets(nets_path)
    wish = applying.Wish(durations=True, velocities=True, drums=True)
    after, before = (
        read_notes(applying.refine(nets, str(source), wish).midi),
        read_notes(rich_midi()),
    )
    assert not np.array_equal(before.end[before.is_drum], after.end[before.is_drum])


def test_parts_keep_their_level(nets_path: str, tmp_path: Path) -> None:
    source = tmp_path / "in.mid"
    source.write_bytes(to_midi(song(3)))
    nets, _ = bundles.load_nets(nets_path)
    wish = applying.Wish(durations=False, velocities=True, drums=True)
    before = Score.of(read_notes(source.read_bytes()))
    after = Score.of(read_notes(applying.refine(nets, str(source), wish).midi))
    own, now = (levels(s, s.velocity * 1.0) for s in (before, after))
    assert np.abs(own - now).max() < 1.0
    free = dataclasses.replace(wish, keeps_level=False)
    other = Score.of(read_notes(applying.refine(nets, str(source), free).midi))
    assert np.abs(levels(other, other.velocity * 1.0) - own).max() > 1.0


def test_strength_multiplies_the_dynamics(nets_path: str, tmp_path: Path) -> None:
    source = tmp_path / "in.mid"
    source.write_bytes(to_midi(song(3)))
    nets, _ = bundles.load_nets(nets_path)
    spreads = []
    for strength in (0.0, 1.0, 4.0):
        wish = applying.Wish(durations=False, velocities=True, strength=strength)
        after = Score.of(read_notes(applying.refine(nets, str(source), wish).midi))
        off = (after.velocity - levels(after, after.velocity * 1.0))[~after.is_drum]
        spreads.append(float(off.std()))
    assert spreads[0] == 0.0
    assert 0.0 < 2.0 * spreads[1] < spreads[2]


def test_a_note_ends_before_its_pitch_begins_anew() -> None:
    edit = MidiEdit(rich_midi())
    count = len(edit.match(*_as_read(rich_midi())))
    longer = edit.changed(np.full(count, 50.0), np.full(count, 64))
    before, after = read_notes(rich_midi()), read_notes(longer)
    assert np.array_equal(before.start, after.start)
    for pitch in np.unique(after.pitch[~after.is_drum]):
        mine = np.flatnonzero((after.pitch == pitch) & ~after.is_drum)
        mine = mine[np.argsort(after.start[mine])]
        assert np.allclose(after.end[mine[:-1]], after.start[mine[1:]])


def _as_read(midi: bytes) -> tuple[Any, ...]:
    read = read_notes(midi)
    return read.start, read.pitch.astype(np.int64), read.is_drum, read.velocity, read.end


def test_a_damaged_file_is_written_anew(nets_path: str, tmp_path: Path) -> None:
    source = tmp_path / "in.mid"
    source.write_bytes(rich_midi()[:-30])
    nets, _ = bundles.load_nets(nets_path)
    done = applying.refine(nets, str(source), applying.Wish(True, True))
    assert "written anew" in done.warnings[0]
    assert len(read_notes(done.midi).start) > 20


def test_the_command_refines_a_file(
    nets_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "in.mid", tmp_path / "out.mid"
    source.write_bytes(to_midi(song(4)))
    arguments = [
        "--durations",
        "--velocities",
        str(source),
        str(target),
        "--bundle",
        nets_path,
        *no_config(tmp_path),
    ]
    assert command.run(refine.main, arguments) == 0
    first = target.read_bytes()
    assert "lengths changed" in capsys.readouterr().out
    assert command.run(refine.main, arguments) == 0
    assert target.read_bytes() == first


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--durations", "in.mid"], "give in.mid and out.mid, not 1 files"),
        (["in.mid", "out.mid"], "say what is to be refined"),
        (["--durations", "in.mid", "out.wav"], "not named like a MIDI file"),
        (["--durations", "in.mid", "in.mid"], "would be written over"),
        (["--durations", "in.mid", "out.mid"], "no refining nets of all"),
        (["--velocities", "--strength", "nan", "a.mid", "b.mid"], "--strength is 0 to 10, not nan"),
        (["--train", "--drums"], "takes no drums"),
        (["--train", "--steps", "-1"], "--steps is 1 or more, or 0 for each net's own, not -1"),
        (["--train", "--genre", "polka"], "run `make subsets` first"),
    ],
)
def test_what_a_user_gets_wrong_is_said(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = [*no_config(tmp_path), "--set", f"data={tmp_path}"]
    code = command.run(refine.main, [*arguments, *shared])
    assert code == command.USAGE_EXIT
    assert said in capsys.readouterr().err


def test_an_unreadable_file_gives_the_readers_reason(
    nets_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "page.mid"
    source.write_text("<html>not found</html>")
    arguments = [
        "--durations",
        str(source),
        str(tmp_path / "out.mid"),
        "--bundle",
        nets_path,
        *no_config(tmp_path),
    ]
    assert command.run(refine.main, arguments) == command.USAGE_EXIT
    assert "a web page, not a score" in capsys.readouterr().err
    assert not (tmp_path / "out.mid").exists()


def test_the_nets_are_no_model_that_samples(nets_path: str) -> None:
    with pytest.raises(BundleError, match="holds nets that refine, not a model that samples"):
        bundle.load(nets_path)


def test_a_bundle_says_how_it_was_made(nets_path: str) -> None:
    data = Path(nets_path).read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    told = json.loads(header["__metadata__"]["genremill_refine"])
    assert set(told["steps"]) == set(KINDS)
    assert set(told["metrics"]["measured"]["rock"]) == {DURATIONS, VELOCITIES}


def test_sequences_are_taken_apart() -> None:
    told = tasks.told_velocities(score_of(song(5)))
    part = told.take(slice(0, 3))
    assert isinstance(part, Sequence)
    assert len(part.target) == len(part.numbers) == len(part.classes) == 3
