"""The Duration Net and the Velocity Net, on made-up music."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import torch
from note_seq.protobuf import music_pb2

from corpus import command, config, files, notes, readers, reports, shards, tables
from corpus.encodings import to_midi
from corpus.layout import Layout
from corpus.records import SPLITS, TEST, TRAIN, VALIDATION, StageReport
from tests.tiny_bundles import write_bundle
from trainers import refine
from trainers.bundle import BundleError
from trainers.refining import applying, bundles, job, pieces, tasks, training
from trainers.refining.duration_features import NUM_CANDIDATES
from trainers.refining.likeness import LEAST, MOST, likeness
from trainers.refining.midi_edit import MidiEdit
from trainers.refining.nets import DURATIONS, KINDS, VELOCITIES, Sequence, Told
from trainers.refining.score import BeatMap, Floats, Score
from trainers.refining.training import DEFAULTS, Trainer
from trainers.refining.velocity_features import levels
from trainers.refining.watch import Watch

_SMALL = "rnn_layer_sizes=[16],batch_size=8"
_TRACKS = {TRAIN: 6, VALIDATION: 2, TEST: 2}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def song(seed: int, bars: int = 8) -> Any:
    """A bass, a tune and drums: lengths and accents follow simple rules of their own."""
    rng = np.random.default_rng(seed)
    made = music_pb2.NoteSequence(ticks_per_quarter=220)
    made.tempos.add(time=0, qpm=120)
    made.time_signatures.add(time=0, numerator=4, denominator=4)
    gate = float(rng.choice([0.6, 0.8, 0.95]))
    for beat in range(4 * bars):
        accent = 24 if beat % 4 == 0 else 0
        _add(made, beat, gate, 36 + int(rng.integers(0, 5)), 70 + accent, 0, 33)
        _add(made, beat, 0.1, 36 if beat % 2 == 0 else 38, 90 + accent, 9, 0, drum=True)
        for half in range(2):
            lasts = 0.45 if rng.random() < 0.7 else 0.25
            _add(made, beat + half / 2, lasts, 60 + int(rng.integers(0, 12)), 90 - 20 * half, 1, 0)
    made.total_time = max(n.end_time for n in made.notes)
    return made


def _add(
    made: Any, beat: float, lasts: float, pitch: int, loud: int, instrument: int, program: int,
    *, drum: bool = False,
) -> None:  # fmt: skip
    made.notes.add(
        start_time=beat / 2, end_time=(beat + lasts) / 2, pitch=pitch, velocity=loud,
        instrument=instrument, program=program, is_drum=drum,
    )  # fmt: skip


def score_of(made: Any) -> Score:
    return Score.of(notes.parse(made.SerializeToString()))


def make_corpus(data: str) -> config.Config:
    """The subsets of one genre, as their stage leaves them."""
    folder = Layout(data).subsets
    written: dict[str, str] = {}
    number = 0
    for split in SPLITS:
        payloads = []
        for _ in range(_TRACKS[split]):
            made = song(number)
            made.id = f"/id/midi/made_up/{number:040x}"
            payloads.append(made.SerializeToString(deterministic=True))
            number += 1
        name = f"rock/{shards.shard_name(split, 0, 1)}"
        written[name], _ = shards.write_shard(files.join(folder, name), payloads)
    report = StageReport(
        stage="subsets", unit="tracks", config_hash="", input_hash="", versions={},
        inputs=number, outputs=number, rejected={}, seconds=0.0, files=written,
        details={"subsets": {"rock": {}}},
    )  # fmt: skip
    reports.write(folder, report)
    return dataclasses.replace(config.load(None, []), data=data)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> config.Config:
    monkeypatch.setattr(training, "EVAL_EVERY", 5)
    monkeypatch.setattr(training, "CHECKPOINT_EVERY", 5)
    return make_corpus(str(tmp_path / "data"))


def trained(settings: config.Config, num_steps: int = 12) -> str:
    """Trains small nets; returns where their bundle lies."""
    work = job.Job(settings, "rock", num_steps, _SMALL)
    work.train()
    return work.bundle_path


def _no_config(folder: Path) -> list[str]:
    """Flags that take the built-in configuration, whatever config.toml says."""
    (folder / "empty.toml").write_text("")
    return ["--config", str(folder / "empty.toml")]


def batch(kind: str) -> Told:
    """Four windows of one song."""
    score, rng = score_of(song(0)), np.random.default_rng(0)
    return Told.of(pieces.windows(kind, score, tasks.told(kind, score, rng), rng, 4))


def test_beats_follow_the_tempos() -> None:
    made = song(0)
    made.tempos.add(time=1.0, qpm=60)
    to_beats = BeatMap.of(notes.parse(made.SerializeToString()))
    times = np.array([0.0, 0.5, 1.0, 3.0])
    assert to_beats(times).tolist() == [0.0, 1.0, 2.0, 4.0]
    assert to_beats.seconds(to_beats(times)).tolist() == times.tolist()


def test_like_notes_tell_the_length_that_they_shared() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat([3, 7], 200)
    truth = np.where(group == 3, np.log(0.5), np.log(2.0))
    value: Floats = truth + np.log(rng.uniform(LEAST, MOST, 400))
    found = likeness(group, value, np.argsort(value))
    assert np.abs(found.mean - truth).max() < 0.04
    assert np.abs(found.middle - truth).max() < 0.02
    assert found.count.tolist() == [200.0] * 400


def test_a_note_alone_is_told_as_it_is() -> None:
    found = likeness(np.array([0]), np.array([0.3]), np.array([0]))
    assert found.count.tolist() == [1.0]
    assert abs(found.mean[0] - 0.3) < 0.02


def test_what_was_true_is_among_the_candidates() -> None:
    score = score_of(song(1))
    now = tasks.distorted(score, np.random.default_rng(0))
    told = tasks.told_durations(score, now)
    off = np.abs(told.numbers[:, :NUM_CANDIDATES] - told.target[:, None])
    assert np.mean(np.nanmin(off, axis=1) < 0.02) > 0.95
    assert now.min() > 0
    assert np.all((now / score.seconds >= LEAST) & (now / score.seconds <= MOST))


def test_the_velocity_net_is_told_no_velocity() -> None:
    made = song(2)
    before = tasks.told_velocities(score_of(made), None)
    for note in made.notes:
        note.velocity = 127 - note.velocity
    after = tasks.told_velocities(score_of(made), None)
    assert np.array_equal(before.numbers, after.numbers)
    assert not np.array_equal(before.target, after.target)


def test_what_nobody_played_is_not_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = song(2)
    for note in made.notes:
        if note.program == 33:
            note.velocity = 100
    score = score_of(made)
    monkeypatch.setattr(tasks, "_KNOWN_SHARE", 1.0)
    told = tasks.told(VELOCITIES, score, np.random.default_rng(0))
    tuned = ~score.is_drum
    assert np.array_equal(np.isnan(told.target)[tuned], (score.program == 33)[tuned])
    monkeypatch.setattr(tasks, "_KNOWN_SHARE", 0.0)
    assert not np.isnan(tasks.told(VELOCITIES, score, np.random.default_rng(0)).target).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_net_learns_a_batch_by_heart(kind: str) -> None:
    hparams = DEFAULTS[kind].changed(
        "dropout=0,learning_rate=0.02,weight_decay=0,rnn_layer_sizes=[32]"
    )
    trainer, told = Trainer(kind, hparams, 90, seed=0), batch(kind)
    before = training.error_of(trainer.net, kind, [told])
    for _ in range(90):
        trainer.step(told)
    assert training.error_of(trainer.net, kind, [told]) < 0.35 * before


def test_distorted_lengths_come_back_with_less_than_half_the_error(small: config.Config) -> None:
    work = job.Job(small, "rock", 40, _SMALL + ",learning_rate=0.02")
    measured = work.train().details["metrics"]
    assert isinstance(measured, dict)
    tuned = measured["measured"]["rock"][DURATIONS]["tuned"]
    assert 0.09 < tuned["as_is"] < 0.11
    assert tuned["net"] < 0.5 * tuned["as_is"]
    assert tuned["net_off_grid"] != tuned["distorted_off_grid"]


def test_the_same_seed_gives_the_same_bytes(small: config.Config, tmp_path: Path) -> None:
    other = make_corpus(str(tmp_path / "other"))
    assert Path(trained(small)).read_bytes() == Path(trained(other)).read_bytes()
    reseeded = dataclasses.replace(other, seed=1)
    assert Path(trained(reseeded)).read_bytes() != Path(trained(small)).read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_training_goes_on_to_the_same_bytes(
    kind: str, small: config.Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path(trained(make_corpus(str(tmp_path / "other")))).read_bytes()
    step, steps = Trainer.step, []

    def killed(self: Trainer, told: Told) -> float:
        if self.kind == kind and self.progress.step == 8:
            raise MemoryError
        return step(self, told)

    def counted(self: Trainer, told: Told) -> float:
        steps.append(self.kind)
        return step(self, told)

    monkeypatch.setattr(Trainer, "step", killed)
    with pytest.raises(MemoryError):
        trained(small)
    monkeypatch.setattr(Trainer, "step", counted)
    assert Path(trained(small)).read_bytes() == whole
    assert steps.count(kind) == 7
    assert steps.count(DURATIONS) == (7 if kind == DURATIONS else 0)
    assert not list(Path(Layout(small.data).model(job.MODEL, "rock")).glob("*checkpoint*"))


def test_a_wish_to_stop_is_kept_between_steps(
    small: config.Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path(trained(make_corpus(str(tmp_path / "other")))).read_bytes()
    step = Trainer.step

    def stopped(self: Trainer, told: Told) -> float:
        if self.progress.step == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, told)

    monkeypatch.setattr(Trainer, "step", stopped)
    with pytest.raises(KeyboardInterrupt):
        trained(small)
    path = Path(Layout(small.data).model(job.MODEL, "rock")) / "durations.checkpoint.safetensors"
    assert bundles.load(str(path))[1].steps == {DURATIONS: 7}
    monkeypatch.setattr(Trainer, "step", step)
    assert Path(trained(small)).read_bytes() == whole


def test_what_is_done_is_not_done_again(
    small: config.Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--train", "--genre", "rock", "--steps", "6", "--hparams", _SMALL]
    shared = [*_no_config(tmp_path), "--set", f"data={small.data}"]
    assert refine.main([*arguments, *shared]) == 0
    first = capsys.readouterr().out
    assert refine.main([*arguments, *shared]) == 0
    second = capsys.readouterr().out
    assert "already done" in second
    assert first.splitlines()[1:] == second.splitlines()[1:]
    for words in ("as is", "constant of piece", "rock, tuned: distorted lengths come back"):
        assert words in first
    card = Path(Layout(small.data).model(job.MODEL, "rock")) / "MODEL_CARD.md"
    assert "percent of what a note lasted" in card.read_text()


def test_what_another_genre_holds_out_is_not_learned(small: config.Config) -> None:
    folder = Path(Layout(small.data).subsets)
    (folder / "jazz").mkdir()
    for split, source in ((TRAIN, TEST), (VALIDATION, VALIDATION), (TEST, TRAIN)):
        name = shards.shard_name(split, 0, 1)
        other = folder / "rock" / shards.shard_name(source, 0, 1)
        (folder / "jazz" / name).write_bytes(other.read_bytes())
    assert len(pieces.find_pieces(small, ["rock"], TRAIN)) == _TRACKS[TRAIN]
    assert pieces.find_pieces(small, ["jazz", "rock"], TRAIN) == []
    assert len(pieces.find_pieces(small, ["jazz", "rock"], VALIDATION)) == _TRACKS[VALIDATION]


def test_a_loss_that_is_no_number_is_said() -> None:
    trainer, told = Trainer(DURATIONS, DEFAULTS[DURATIONS], 10, seed=0), batch(DURATIONS)
    broken = dataclasses.replace(told, target=told.target * float("nan"))
    with pytest.raises(ValueError, match=r"durations: the loss is no number .* learning_rate"):
        trainer.step(broken)


def test_a_training_that_comes_apart_is_said() -> None:
    watch = Watch()
    for _ in range(60):
        watch.see(VELOCITIES, 1.0, 1.0, 0.01)
    watch.see(VELOCITIES, 1.0, 1000.0, 0.01)
    assert "1 of 61 gradients" in watch.notes(VELOCITIES)[0]
    with pytest.raises(ValueError, match=r"comes apart: the loss was 1\.00 and is"):
        _see_often(watch, 9.0)
    with pytest.raises(ValueError, match="gradient is no number"):
        Watch().see(VELOCITIES, 1.0, float("inf"), 0.01)


def _see_often(watch: Watch, loss: float) -> None:
    for _ in range(60):
        watch.see(VELOCITIES, loss, 1.0, 0.01)


def test_a_bundle_comes_back(small: config.Config) -> None:
    path = trained(small)
    nets, info = bundles.load_nets(path)
    assert set(nets) == set(KINDS)
    assert info.genre == "rock"
    assert info.metrics["num_train"] == _TRACKS[TRAIN]
    again, _ = bundles.load_nets(path)
    told = batch(DURATIONS)
    with torch.no_grad():
        assert torch.equal(nets[DURATIONS].guess(told), again[DURATIONS].guess(told))


def test_foreign_bundles_are_refused(small: config.Config, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot read the nets"):
        bundles.load_nets(str(tmp_path / "none.safetensors"))
    text = tmp_path / "text.safetensors"
    text.write_text("no bundle at all")
    with pytest.raises(BundleError, match="holds no refining nets"):
        bundles.load_nets(str(text))
    with pytest.raises(BundleError, match="a model that samples, not refining nets"):
        bundles.load_nets(write_bundle(str(tmp_path), "basic_rnn"))
    path = trained(small)
    tensors, info = bundles.load(path)
    bundles.save(path, tensors, dataclasses.replace(info, format=99))
    with pytest.raises(BundleError, match="format 99"):
        bundles.load_nets(path)
    larger = {**info.hparams, DURATIONS: tables.plain(DEFAULTS[DURATIONS])}
    bundles.save(path, tensors, dataclasses.replace(info, hparams=larger))
    with pytest.raises(BundleError, match="does not fit its own header"):
        bundles.load_nets(path)


@pytest.fixture(scope="module")
def nets_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Nets that have learned a little."""
    torch.set_num_threads(1)
    work = job.Job(make_corpus(str(tmp_path_factory.mktemp("nets"))), "rock", 20, _SMALL)
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


def read_notes(midi: bytes) -> notes.NoteArrays:
    return notes.parse(readers.read_score(midi, "a.mid", "test")[0].payload)


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
        *_no_config(tmp_path),
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
        (["--train", "--steps", "0"], "--steps is 1 or more, not 0"),
        (["--train", "--genre", "polka"], "run `make subsets` first"),
    ],
)
def test_what_a_user_gets_wrong_is_said(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = [*_no_config(tmp_path), "--set", f"data={tmp_path}"]
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
        *_no_config(tmp_path),
    ]
    assert command.run(refine.main, arguments) == command.USAGE_EXIT
    assert "a web page, not a score" in capsys.readouterr().err
    assert not (tmp_path / "out.mid").exists()


def test_a_bundle_says_how_it_was_made(nets_path: str) -> None:
    data = Path(nets_path).read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    told = json.loads(header["__metadata__"]["genremill_refine"])
    assert set(told["steps"]) == set(KINDS)
    assert set(told["metrics"]["measured"]["rock"]) == {DURATIONS, VELOCITIES}


def test_sequences_are_taken_apart() -> None:
    told = tasks.told_velocities(score_of(song(5)), None)
    part = told.take(slice(0, 3))
    assert isinstance(part, Sequence)
    assert len(part.target) == len(part.numbers) == len(part.classes) == 3
