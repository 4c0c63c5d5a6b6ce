"""MIDI as sound, with programs that only look like fluidsynth, timidity and ffmpeg."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pretty_midi
import pytest

from corpus import command
from tests import makers
from trainers import audio

FLUID = 'printf "fluid %s" "$*" > out.wav'
TIMIDITY = 'printf "timidity %s" "$*" > out.wav'
FFMPEG = 'read -r line < out.wav; printf "mp3 of %s" "$line" > out.mp3'
BROKEN = "echo 'no such sound' >&2; exit 3"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the whole PATH; no soundfont is found but in the folder `fonts`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(audio, "_SOUNDFONT_FOLDERS", (str(tmp_path / "fonts"),))
    return folder


def install(folder: Path, **scripts: str) -> None:
    for name, script in scripts.items():
        path = folder / name
        # Words of the shell itself: nothing else is on the PATH.
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


def font(tmp_path: Path, *names: str) -> None:
    (tmp_path / "fonts").mkdir(exist_ok=True)
    for name in names:
        (tmp_path / "fonts" / name).write_bytes(b"sfbk")


def song(tmp_path: Path, name: str = "songs/-q a'b.mid") -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(makers.midi())
    return path


def run(*arguments: object) -> int:
    return command.run(audio.main, [str(argument) for argument in arguments])


def test_mp3_by_fluidsynth_and_ffmpeg(
    tmp_path: Path, programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(programs, fluidsynth=FLUID, timidity=BROKEN, ffmpeg=FFMPEG)
    font(tmp_path, "zither.sf2", "FluidR3_GM.sf2")
    path = song(tmp_path)
    (path.parent / "bad.mid").write_bytes(b"this is no MIDI")
    (path.parent / "bad.mp3").write_bytes(b"")
    os.utime(path.parent / "bad.mp3", (1, 1))
    assert run(path.parent) == 1
    printed = capsys.readouterr()
    assert "2 MIDI files: 1 rendered, 0 already there, 1 failed (mp3)" in printed.out
    assert "bad.mid" in printed.err
    sound = path.with_suffix(".mp3").read_text()
    assert sound.startswith("mp3 of fluid -ni")
    assert sound.endswith("font.sf2 in.mid")
    os.remove(path.parent / "bad.mid")
    assert run(path.parent) == 0
    assert "0 rendered, 1 already there" in capsys.readouterr().out
    later = time.time() + 10
    os.utime(path, (later, later))
    assert run(path.parent) == 0
    assert "1 rendered, 0 already there" in capsys.readouterr().out
    assert run(path.parent, "--set", "force=true") == 0
    assert "1 rendered" in capsys.readouterr().out


def test_wav_by_timidity_needs_neither_ffmpeg_nor_a_soundfont(
    tmp_path: Path, programs: Path
) -> None:
    install(programs, timidity=TIMIDITY, fluidsynth=BROKEN)
    path = song(tmp_path)
    assert run(path, "--format", "wav") == 0
    assert path.with_suffix(".wav").read_text() == "timidity -s 44100 -Ow -o out.wav in.mid"
    font(tmp_path, "a.sf2")
    (programs / "fluidsynth").unlink()
    assert (
        run(path, "--format", "wav", "--soundfont", tmp_path / "fonts/a.sf2", "--set", "force=true")
        == 0
    )
    assert "-x soundfont font.sf2" in path.with_suffix(".wav").read_text()


def test_the_best_known_soundfont_is_taken(tmp_path: Path) -> None:
    folders = [str(tmp_path / name) for name in ("none", "empty", "fonts", "more")]
    (tmp_path / "empty").mkdir()
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "default.sf2").write_bytes(b"")
    font(tmp_path, "TimGM6mb.sf2", "a.sf3", "FluidR3_GM.sf2", "notes.txt")
    assert audio.find_soundfont(folders) == str(tmp_path / "fonts" / "FluidR3_GM.sf2")
    assert audio.find_soundfont(folders[:2]) == ""


@pytest.mark.parametrize(
    ("scripts", "arguments", "part"),
    [
        ({}, [], "apt-get install fluidsynth"),
        ({"fluidsynth": FLUID, "ffmpeg": FFMPEG}, [], "needs a soundfont"),
        ({"timidity": TIMIDITY}, [], "needs ffmpeg"),
        ({"timidity": TIMIDITY}, ["--soundfont", "nowhere.sf2"], "no soundfont 'nowhere.sf2'"),
        ({"timidity": TIMIDITY}, ["--timeout", "-1"], "--timeout"),
    ],
)
def test_what_is_missing_is_said_once(
    scripts: dict[str, str],
    arguments: list[str],
    part: str,
    tmp_path: Path,
    programs: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    install(programs, **scripts)
    path = song(tmp_path)
    assert run(path, *arguments) == 2
    assert part in capsys.readouterr().err
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_program_that_fails_or_hangs_costs_one_file(
    tmp_path: Path, programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = song(tmp_path)
    install(programs, timidity=BROKEN)
    assert run(path, "--format", "wav") == 1
    assert "timidity failed with exit code 3: no such sound" in capsys.readouterr().err
    install(programs, timidity="exit 0")
    assert run(path, "--format", "wav") == 1
    assert "it says nothing" in capsys.readouterr().err
    sleep = shutil.which("sleep", path="/bin:/usr/bin")
    install(programs, timidity=f"{sleep} 60 & wait")
    began = time.monotonic()
    assert run(path, "--format", "wav", "--timeout", "0.5") == 1
    assert time.monotonic() - began < 20
    assert "took over 0.5 s" in capsys.readouterr().err
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_hours_of_music_are_not_rendered(
    tmp_path: Path, programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(programs, timidity=TIMIDITY)
    path = tmp_path / "long.mid"
    music = pretty_midi.PrettyMIDI()
    piano = pretty_midi.Instrument(0)
    piano.notes.append(pretty_midi.Note(90, 60, 0.0, 4000.0))
    music.instruments.append(piano)
    music.write(str(path))
    assert run(path, "--format", "wav") == 1
    assert "over 3,600" in capsys.readouterr().err


def test_files_that_are_not_there_are_named(
    tmp_path: Path, programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("a")
    for argument, part in (
        ("none.mid", "there is no"), ("empty", "no MIDI file"), ("a.txt", "not named like"),
    ):  # fmt: skip
        assert run(tmp_path / argument) == 2
        assert part in capsys.readouterr().err
    assert run("--set", f"data={tmp_path}") == 2
    assert "make sample" in capsys.readouterr().err
