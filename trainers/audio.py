"""`python -m trainers.audio`: MIDI as mp3 or wav, beside each file, by fluidsynth or timidity.

Without FILE it is what the configured model has sampled, for every genre. A folder stands for the
MIDI files below it. What is newer than its MIDI file is left as it is, unless force is set. These
programs are not part of GenreMill; where one is missing the message says how to install it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from corpus import command, files, notes, readers
from corpus.config import Config
from corpus.layout import Layout

MP3, WAV = FORMATS = ("mp3", "wav")
_MIDI = (".mid", ".midi")
_RATE, _BITS = "44100", "128k"
_MAX_MUSIC_SECONDS = 3600.0
_TOLD_BYTES = 300  # of what a program says when it fails

# Folders of the packages of Debian, Fedora, Arch and Homebrew, and of macOS.
_SOUNDFONT_FOLDERS = (
    "/usr/share/sounds/sf2",
    "/usr/share/sounds/sf3",
    "/usr/share/soundfonts",
    "/usr/local/share/soundfonts",
    "/opt/homebrew/share/soundfonts",
    "/opt/homebrew/opt/fluid-synth/share/fluid-synth/sf2",
    "/usr/local/opt/fluid-synth/share/fluid-synth/sf2",
    "~/.local/share/soundfonts",
    "~/Library/Audio/Sounds/Banks",
    "/Library/Audio/Sounds/Banks",
)
_SOUNDFONTS = (".sf2", ".sf3")
_LIKED = ("default", "fluidr3", "generaluser", "musescore", "timgm")

_NO_SYNTH = (
    "neither fluidsynth nor timidity is installed; on Debian or Ubuntu: "
    "sudo apt-get install fluidsynth fluid-soundfont-gm; on macOS: brew install fluid-synth"
)
_NO_SOUNDFONT = (
    "fluidsynth needs a soundfont and there is none at the usual places; give --soundfont FILE, or "
    "on Debian or Ubuntu: sudo apt-get install fluid-soundfont-gm"
)
_NO_FFMPEG = (
    "mp3 needs ffmpeg, which is not installed; on Debian or Ubuntu: sudo apt-get install ffmpeg; "
    "on macOS: brew install ffmpeg; or take --format wav"
)


class RenderError(ValueError):
    """A file that gives no sound."""


def find_soundfont(folders: Sequence[str] = ()) -> str:
    """A soundfont of the first folder that has one, of these or the usual ones; else empty."""
    for folder in map(os.path.expanduser, folders or _SOUNDFONT_FOLDERS):
        if not os.path.isdir(folder):
            continue
        found = [name for name in sorted(os.listdir(folder)) if name.lower().endswith(_SOUNDFONTS)]
        if found:
            return os.path.join(folder, min(found, key=_rank))
    return ""


def _rank(name: str) -> int:
    liked = (rank for rank, start in enumerate(_LIKED) if name.lower().startswith(start))
    return next(liked, len(_LIKED))


@dataclass(frozen=True)
class Renderer:
    """The programs that make sound of MIDI.

    Attributes:
      synth: path of fluidsynth or timidity; is_fluid: which.
      soundfont: path; empty for what timidity is configured with.
      ffmpeg: path; empty for wav.
      max_seconds: for each program and file.
    """

    synth: str
    is_fluid: bool
    soundfont: str
    ffmpeg: str
    max_seconds: float

    @classmethod
    def find(cls, kind: str, soundfont: str, max_seconds: float) -> Renderer:
        """What is installed here.

        Args:
          kind: one of FORMATS.
          soundfont: path, or empty for one at the usual places.
          max_seconds: as the attribute.

        Raises:
          ValueError: a program or a soundfont is missing; how to get it is in the message.
        """
        if soundfont and not os.path.isfile(soundfont):
            raise ValueError(f"there is no soundfont {soundfont!r}")
        fluid, timidity = shutil.which("fluidsynth"), shutil.which("timidity")
        if not fluid and not timidity:
            raise ValueError(_NO_SYNTH)
        font = os.path.abspath(soundfont) if soundfont else find_soundfont() if fluid else ""
        if not font and not timidity:
            raise ValueError(_NO_SOUNDFONT)
        ffmpeg = shutil.which("ffmpeg") if kind == MP3 else ""
        if ffmpeg is None:
            raise ValueError(_NO_FFMPEG)
        is_fluid = bool(fluid and font)
        synth = fluid if is_fluid else timidity
        assert synth
        return cls(synth, is_fluid, font, ffmpeg, max_seconds)

    def render(self, midi: bytes) -> bytes:
        """The sound of a MIDI file.

        Raises:
          RenderError: it is none, or a program fails.
        """
        _check(midi)
        # In a folder of its own, so that no name of a user's is taken for a flag.
        with tempfile.TemporaryDirectory(prefix="genremill-audio-") as folder:
            Path(folder, "in.mid").write_bytes(midi)
            if self.soundfont:
                os.symlink(self.soundfont, os.path.join(folder, "font.sf2"))
            self._run(folder, "out.wav", self._synth_command())
            if not self.ffmpeg:
                return Path(folder, "out.wav").read_bytes()
            self._run(folder, "out.mp3", [
                self.ffmpeg, "-nostdin", "-v", "error", "-y", "-i", "out.wav",
                "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact",
                "-codec:a", "libmp3lame", "-b:a", _BITS, "out.mp3",
            ])  # fmt: skip
            return Path(folder, "out.mp3").read_bytes()

    def _synth_command(self) -> list[str]:
        if self.is_fluid:
            return [
                self.synth, "-ni", "-q", "-r", _RATE, "-T", "wav", "-F", "out.wav",
                "font.sf2", "in.mid",
            ]  # fmt: skip
        font = ["-x", "soundfont font.sf2"] if self.soundfont else []
        return [self.synth, *font, "-s", _RATE, "-Ow", "-o", "out.wav", "in.mid"]

    def _run(self, folder: str, output: str, arguments: list[str]) -> None:
        """Runs a program that is to write a file, and ends it with its children when it is late."""
        name = os.path.basename(arguments[0])
        log = Path(folder, "log")
        with open(log, "wb") as told:
            child = subprocess.Popen(
                arguments, cwd=folder, stdin=subprocess.DEVNULL, stdout=told,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            try:
                code = child.wait(self.max_seconds)
            except BaseException as error:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                if isinstance(error, subprocess.TimeoutExpired):
                    raise RenderError(f"{name} took over {self.max_seconds:g} s") from error
                raise
        path = Path(folder, output)
        if code or not path.is_file() or not path.stat().st_size:
            words = " ".join(log.read_bytes()[-_TOLD_BYTES:].decode("utf-8", "replace").split())
            raise RenderError(f"{name} failed with exit code {code}: {words or 'it says nothing'}")


def _check(midi: bytes) -> None:
    """Raises RenderError for what no program should be given: no MIDI, silence, hours of it."""
    score = readers.read_score(midi, "in.mid", "audio")[0]
    if score.reason:
        raise RenderError(f"{score.reason}: {score.detail}")
    seconds = notes.parse(score.payload).total_time
    if seconds > _MAX_MUSIC_SECONDS:
        raise RenderError(f"{seconds:,.0f} s of music, over {_MAX_MUSIC_SECONDS:,.0f}")


def find_midi(paths: Sequence[str]) -> list[str]:
    """MIDI files: those given, and those below given folders, in order and once.

    Raises:
      ValueError: one is not there, or there is none at all.
    """
    found: list[str] = []
    for path in paths:
        if not files.exists(path):
            raise ValueError(f"there is no {path}; run `make sample` first, or give MIDI files")
        if path.lower().endswith(_MIDI):
            found.append(path)
        elif os.path.isfile(path):
            raise ValueError(f"{path} is not named like a MIDI file; give .mid files or folders")
        else:
            names = files.list_names(path, recursive=True)
            found += [files.join(path, name) for name in names if name.lower().endswith(_MIDI)]
    if not found:
        raise ValueError(f"no MIDI file in {', '.join(paths)}; run `make sample` first")
    return list(dict.fromkeys(found))


def is_newer(target: str, midi: str) -> bool:
    """Whether the target is there and not older than the MIDI file."""
    folder, _, name = target.rpartition("/")
    changed = {i.path: i.modified_ns for i in files.list_infos(folder or ".") if "/" not in i.path}
    behind = changed.get(midi.rpartition("/")[2], 0)
    return name in changed and changed[name] >= behind


def _samples(config: Config) -> str:
    return files.join(Layout(config.data).data, "samples", config.model_name)


def main(argv: Sequence[str]) -> int:
    """Renders MIDI files; returns 1 if one of them failed."""
    parser = command.parser("trainers.audio", (__doc__ or "").strip())
    parser.add_argument("files", nargs="*", metavar="FILE", help="MIDI files, or folders of them")
    parser.add_argument("--format", choices=FORMATS, default=MP3, help="of sound (default: mp3)")
    parser.add_argument(
        "--soundfont", default="", metavar="FILE",
        help="sounds of the instruments, .sf2 or .sf3 (default: one at the usual places)",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", type=float, default=300.0, metavar="SECONDS",
        help="for each file (default: 300)",
    )  # fmt: skip
    arguments = parser.parse_args(argv)
    config = command.load_config(arguments)
    if not 0 < arguments.timeout < float("inf"):
        raise ValueError(f"--timeout is a number of seconds above 0, not {arguments.timeout}")
    found = find_midi(arguments.files or [_samples(config)])
    renderer = Renderer.find(arguments.format, arguments.soundfont, arguments.timeout)
    made, old, failed = 0, 0, []
    for path in tqdm(found, desc="audio", unit="file", disable=not sys.stderr.isatty()):
        target = f"{path[: path.rindex('.')]}.{arguments.format}"
        if not config.force and is_newer(target, path):
            old += 1
            continue
        try:
            files.write_bytes(target, renderer.render(files.read_bytes(path)))
            made += 1
        except RenderError as error:
            failed.append(f"{path}: {error}")
    state = f"{made} rendered, {old} already there, {len(failed)} failed"
    print(f"audio: {len(found)} MIDI files: {state} ({arguments.format})")
    for sentence in failed:
        print(f"  failed: {sentence}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(command.run(main))
