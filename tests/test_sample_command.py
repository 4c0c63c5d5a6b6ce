"""`python -m trainers.sample`: bundles in, files out, one clear message for what cannot be."""

from __future__ import annotations

import dataclasses
import io
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pretty_midi
import pytest
import safetensors.torch
import torch

from corpus import files, reports
from corpus.config import SampleConfig
from corpus.readers import read_score
from corpus.records import StageReport
from tests.sampled_models import write_bundle
from trainers import bundle, sample
from trainers.sampling import flags

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration of this folder."""
    monkeypatch.chdir(tmp_path)


def names_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def notes_in(path: Path) -> list[pretty_midi.Note]:
    return [n for part in pretty_midi.PrettyMIDI(str(path)).instruments for n in part.notes]


def test_a_bundle_alone_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_bundle(str(tmp_path / "m.safetensors"))
    command = ["--bundle", path, "--output_dir", "out", "--num_outputs", "3", "--num_steps=32"]
    assert sample.main([*command, "--primer_melody", "[60,-2,64]"]) == 0
    assert capsys.readouterr().out == "sample rock: 3 of 3 samples in out\n"
    assert names_in(tmp_path / "out") == [f"rock_0{n}.mid" for n in (1, 2, 3)]
    first = {name: (tmp_path / "out" / name).read_bytes() for name in names_in(tmp_path / "out")}
    for name in first:
        notes = sorted(notes_in(tmp_path / "out" / name), key=lambda note: note.start)
        assert [note.pitch for note in notes[:2]] == [60, 64]
        assert notes[-1].end <= 4.0 + 1e-6
    sample.main([*command, "--primer_melody", "[60,-2,64]"])
    assert first == {name: (tmp_path / "out" / name).read_bytes() for name in first}
    sample.main([*command, "--primer_melody", "[60,-2,64]", "--set", "seed=1"])
    assert first != {name: (tmp_path / "out" / name).read_bytes() for name in first}


def test_without_a_folder_samples_go_below_data_and_are_done_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_bundle(str(tmp_path / "m.safetensors"), "drum_kit", ("disco", "metal"))
    command = ["--bundle", path, "--set", "data=d", "--num_outputs=2", "--num_steps=20"]
    sample.main(command)
    folder = tmp_path / "d/samples/drum_kit"
    assert names_in(folder) == [
        f"{genre}/{name}" for genre in ("disco", "metal")
        for name in ("_report.json", f"{genre}_01.mid", f"{genre}_02.mid")
    ]  # fmt: skip
    disco, metal = (folder / f"{genre}/{genre}_01.mid" for genre in ("disco", "metal"))
    assert disco.read_bytes() != metal.read_bytes()
    disco.write_bytes(b"kept")
    sample.main(command)
    assert disco.read_bytes() == b"kept"
    sample.main([*command, "--genre", "metal", "--temperature", "0.5"])
    assert disco.read_bytes() == b"kept"
    sample.main([*command, "--temperature", "0.5"])
    assert disco.read_bytes() != b"kept"
    report = reports.read(str(disco.parent))
    assert report is not None
    told = {"seed": 0, "temperature": 0.5, "strategy": "full", "num_steps": 20}
    assert report.details["settings"] == told
    assert "2 of 2 samples" in capsys.readouterr().out


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.found += [str(value) for name, value in attrs if name in ("href", "src")]


def test_a_sweep_stands_side_by_side(tmp_path: Path) -> None:
    path = write_bundle(str(tmp_path / "m.safetensors"))
    command = ["--bundle", path, "--set", "data=d", "--num_outputs=2", "--num_steps=20"]
    sample.main(command)
    sample.main([*command, "--sweep", "temperature=0.6,1.2 key=C,f"])
    folder = tmp_path / "d/samples/basic_rnn/rock"
    assert [name for name in names_in(folder) if "/" not in name] == [
        "_report.json", "rock_01.mid", "rock_02.mid"
    ]  # fmt: skip
    words = [f"temperature_{t}_key_{key}" for t in ("0.6", "1.2") for key in ("C", "f")]
    wanted = [f"0{n}-{word}-0{k}.mid" for n, word in enumerate(words, 1) for k in (1, 2)]
    assert names_in(folder / "sweep") == [*wanted, "_report.json", "sweep.html"]
    page = (folder / "sweep/sweep.html").read_text("utf-8")
    links = Links()
    links.feed(page)
    assert links.found == wanted
    assert links.tags.count("svg") == 8
    assert "C major: pure" in page
    assert "F minor: depression" in page
    in_c, in_f = (notes_in(folder / "sweep" / wanted[n]) for n in (0, 2))
    assert (in_c[0].pitch, in_f[0].pitch) == (60, 65)
    # Neither does one stage clear the other's files.
    sample.main([*command, "--temperature=2", "--set", "force=true"])
    assert names_in(folder / "sweep") == [*wanted, "_report.json", "sweep.html"]


def test_a_sweep_of_two_genres_elsewhere_keeps_both(tmp_path: Path) -> None:
    path = write_bundle(str(tmp_path / "m.safetensors"), "one_drum", ("disco", "metal"))
    command = ["--bundle", path, "--output_dir=o", "--num_outputs=1", "--num_steps=20"]
    sample.main([*command, "--sweep", "temperature=1,2"])
    assert [n for n in names_in(tmp_path / "o") if n.endswith("html")] == [
        "disco/sweep/sweep.html", "metal/sweep/sweep.html"
    ]  # fmt: skip


def test_a_tune_is_written_as_text_and_as_notes(tmp_path: Path) -> None:
    path = write_bundle(str(tmp_path / "m.safetensors"), "abc_text")
    sample.main(["--bundle", path, "--output_dir=o", "--num_outputs=1", "--primer_text=CDEF|G4|"])
    assert names_in(tmp_path / "o") == ["rock_01.abc", "rock_01.mid"]
    text = (tmp_path / "o/rock_01.abc").read_text("ascii")
    assert text.startswith("X:1\nM:4/4\nL:1/16\nQ:1/4=120\nK:C\nCDEF|G4|")
    score = read_score(text.encode(), "a.abc", "x")[0].note_sequence()
    played = sorted((n.start, n.pitch) for n in notes_in(tmp_path / "o/rock_01.mid"))
    assert [pitch for _, pitch in played[:5]] == [60, 62, 64, 65, 67]
    assert len(score.notes) == len(played)


def test_a_text_is_written_as_it_is(tmp_path: Path) -> None:
    path = write_bundle(str(tmp_path / "m.safetensors"), "text")
    command = ["--bundle", path, "--output_dir=o", "--num_outputs=2", "--num_steps=50"]
    sample.main([*command, "--primer_text=To"])
    assert names_in(tmp_path / "o") == ["rock_01.txt", "rock_02.txt"]
    assert (tmp_path / "o/rock_01.txt").read_text("utf-8").startswith("To")


def trained(data: Path, genres: tuple[str, ...], corpus_hash: str = "") -> None:
    """What examples and training leave of one_drum: reports, and a bundle for each genre."""
    counts = {"disco": {"train": 3}, "metal": {"train": 3}}
    shards = {f"{genre}/train-00000-of-00001.tfrecord": "h" for genre in counts}
    blank = StageReport(
        stage="examples", unit="x", config_hash="c", input_hash="i", versions={}, inputs=1,
        outputs=1, rejected={}, seconds=0.0, files=shards, details={"examples": counts},
    )  # fmt: skip
    reports.write(str(data / "examples/one_drum"), blank)
    for genre in genres:
        known = tuple(counts) if genre == "all" else (genre,)
        folder = data / "models/one_drum" / genre
        path = write_bundle(str(folder / "one_drum.safetensors"), "one_drum", known)
        mine = {n: h for n, h in shards.items() if n.partition("/")[0] in known}
        tensors, info = bundle.load(path)
        found = dataclasses.replace(info, corpus_hash=corpus_hash or reports.digest(mine))
        bundle.save(path, tensors, found)
        done = dataclasses.replace(
            blank, stage="train", files={"one_drum.safetensors": files.sha256_of(path)},
            details={"genre": genre},
        )  # fmt: skip
        reports.write(str(folder), done)


COMMAND = ["--set", "data=d", "--set", "train.model=one_drum", "--num_outputs=1", "--num_steps=9"]


def test_every_trained_genre_is_sampled_and_all_by_its_genres(tmp_path: Path) -> None:
    trained(tmp_path / "d", ("metal", "all"))
    sample.main(COMMAND)
    folder = tmp_path / "d/samples/one_drum"
    assert [n for n in names_in(folder) if n.endswith("mid")] == [
        "all/disco/disco_01.mid", "all/metal/metal_01.mid", "metal/metal_01.mid"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("metal", ["metal/metal_01.mid"]),
        ("disco", ["all/disco/disco_01.mid"]),
        ("all", ["all/disco/disco_01.mid", "all/metal/metal_01.mid"]),
    ],
)
def test_one_genre_is_that_of_its_own_model_first(
    tmp_path: Path, asked: str, expected: list[str]
) -> None:
    trained(tmp_path / "d", ("metal", "all"))
    sample.main([*COMMAND, "--genre", asked])
    folder = tmp_path / "d/samples/one_drum"
    assert [n for n in names_in(folder) if n.endswith("mid")] == expected


def refused(arguments: list[str]) -> str:
    with pytest.raises(ValueError, match=r"\w") as caught:
        sample.main(arguments)
    return str(caught.value)


def test_what_cannot_be_sampled_is_named(tmp_path: Path) -> None:
    trained(tmp_path / "d", ("metal",), corpus_hash="another")
    assert "run `make train` again" in refused(COMMAND)
    assert "no trained model of genre 'jazz'; there are: metal" in refused(
        [*COMMAND, "--genre", "jazz"]
    )
    foreign = tmp_path / "d/models/one_drum/metal/one_drum.safetensors"
    write_bundle(str(foreign), "basic_rnn")
    assert "holds a basic_rnn of basic_rnn, not a one_drum" in refused(COMMAND)
    path = write_bundle(str(tmp_path / "m.safetensors"))
    assert "knows no genre 'jazz'; it knows rock" in refused(["--bundle", path, "--genre", "jazz"])
    assert "sample.temperature lies between" in refused(["--bundle", path, "--temperature=0"])
    assert "temprature" in refused(["--bundle", path, "--sweep", "temprature=1,2"])
    assert "cannot be read" in refused(["--bundle", path, "--sweep", "temperature"])
    assert "one of argmax" in refused(["--bundle", path, "--strategy", "greedy"])
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("damage", ["missing", "cut", "text", "foreign", "encoding"])
def test_a_bad_bundle_is_named(tmp_path: Path, damage: str) -> None:
    path = Path(write_bundle(str(tmp_path / "m.safetensors")))
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-50])
    elif damage == "text":
        path.write_bytes(b"hello")
    elif damage == "foreign":
        path.write_bytes(safetensors.torch.save({"a": torch.zeros(1)}))
    else:
        tensors, info = bundle.load(str(path))
        changed = dataclasses.replace(info, examples=info.examples | {"encoding": "mono_rnn"})
        bundle.save(str(path), tensors, changed)
    words = refused(["--bundle", str(path)])
    assert str(path) in words
    assert "\n" not in words


def test_flags_are_the_settings() -> None:
    known = {field.name for field in dataclasses.fields(SampleConfig)}
    assert set(flags._HELP) == known


LAZY = """
from trainers.sampling import lazy_note_seq
lazy_note_seq.install()
import sys
from note_seq import melodies_lib
assert "bokeh" not in sys.modules, "the package has been run"
import note_seq
assert note_seq.melodies_lib is melodies_lib
assert note_seq.Melody is melodies_lib.Melody, "the rest is there when it is asked for"
assert not hasattr(note_seq, "no_such_thing")
print(note_seq.__version__)
"""


def test_note_seq_is_run_only_when_its_package_is_asked_for() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LAZY], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


HEAVY = """
import sys
from trainers import sample
sample.main(["--bundle", sys.argv[1], "--output_dir", sys.argv[2], "--num_outputs=1"])
print(sorted({"bokeh", "pandas", "IPython", "tensorboard", "numba.np.linalg"} & set(sys.modules)))
"""


def test_a_sample_needs_nothing_heavy_but_torch(tmp_path: Path) -> None:
    path = write_bundle(str(tmp_path / "m.safetensors"), "attention_rnn")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HEAVY, path, str(tmp_path / "o")],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    midi = (tmp_path / "o/rock_01.mid").read_bytes()
    assert pretty_midi.PrettyMIDI(io.BytesIO(midi)).instruments[0].notes
