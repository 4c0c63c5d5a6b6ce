from __future__ import annotations

import base64
import csv
import dataclasses
import io
import json
import re
import shutil
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

from corpus import files, names, notes, reports
from corpus.config import Config
from corpus.encodings import extraction, open_encoding
from corpus.layout import Layout
from corpus.records import StageReport
from tests import browser, makers, page_corpus
from tests.test_pipelines import run
from viz import listen, listen_pairs, listen_real, listen_samples, music

chromium = browser.chromium

_COLUMNS = "pair,genre,model,left,right,answer,liked,correct,seconds"
_SAMPLES = 4
_SETTINGS = {"seed": 0, "temperature": 0.5, "strategy": "full", "primer_text": "<b>"}


def with_samples(config: Config, genre: str, count: int = _SAMPLES) -> None:
    """Writes samples of a genre, with the report that the sampling job would write."""
    folder = Layout(config.data).samples(config.model_name, genre)
    written = {}
    for at in range(count):
        name = f"{names.slug(genre)}_{at + 1:02d}.mid"
        data = makers.midi([60 + (at + 3 * step) % 12 for step in range(40)])
        written[name] = files.write_bytes(files.join(folder, name), data)
    report = StageReport(
        stage="sample", unit="samples", config_hash="", input_hash="",
        versions={}, inputs=count, outputs=count, rejected={}, seconds=0.0,
        files=written, details={"genre": genre, "steps_trained": 1234, "settings": _SETTINGS},
    )  # fmt: skip
    reports.write(folder, report)


def with_evaluation(config: Config, genre: str, piece: str) -> None:
    """Writes what the evaluation says of the first sample."""
    common = {"words": 5, "share": 0.125, "piece": piece, "place": "instrument 1, 4.0 s to 9.0 s"}
    sample = {"name": f"{genre}_01.mid", "words": 40, "run": common, "subsequence": common}
    report = reports.read(Layout(config.data).samples(config.model_name, genre))
    assert report is not None
    found = {"genre": genre, "originality": {"samples": [sample]}}
    judged = {"genres": [{**found, "samples_hash": report.output_hash}]}
    path = Layout(config.data).evaluation(config.model_name) + ".json"
    files.write_bytes(path, json.dumps(judged).encode())


def training_piece(config: Config) -> str:
    labels = pd.read_parquet(Path(config.data) / "subsets" / "labels.parquet")
    tracks = pd.read_parquet(Path(config.data) / "notesequences" / "tracks.parquet")
    mine = labels[(labels["subset"] == "rock") & (labels["split"] == "train")]
    track = tracks[tracks["track_id"] == mine["track_id"].iloc[0]].iloc[0]
    return f"{track['artist']} - {track['title']}"


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Config:
    config = page_corpus.made(tmp_path_factory.mktemp("listen"), artists=20, songs=2)
    for genre in ("rock", "disco"):
        with_samples(config, genre)
    with_evaluation(config, "rock", training_piece(config))
    return config


def page_of(config: Config) -> Path:
    return Path(listen.make(config)[0])


def data_of(path: Path, name: str) -> Any:
    found = re.search(rf'id="data-{name}">(.*?)</script>', path.read_text(encoding="utf-8"))
    assert found
    return json.loads(found[1])


def truth_of(pair: dict[str, str]) -> Any:
    return json.loads(base64.b64decode(pair["truth"]))


def raw_of(packed: str) -> bytes:
    return zlib.decompress(base64.b64decode(packed))


def test_every_sample_meets_a_held_out_piece(sampled: Config) -> None:
    path = page_of(sampled)
    pairs = data_of(path, "test")["pairs"]
    assert len(pairs) == 2 * _SAMPLES
    truths = [truth_of(pair) for pair in pairs]
    assert {truth["person"] for truth in truths} == {"left", "right"}
    labels = pd.read_parquet(Path(sampled.data) / "subsets" / "labels.parquet")
    tracks = pd.read_parquet(Path(sampled.data) / "notesequences" / "tracks.parquet")
    named = labels.merge(tracks, on="track_id")
    named["name"] = named["artist"] + " - " + named["title"]
    seen = set()
    for truth in truths:
        other = "right" if truth["person"] == "left" else "left"
        seen.add(truth[other])
        mine = named[(named["subset"] == truth["genre"]) & (named["split"] == "test")]
        assert truth[truth["person"]] in set(mine["name"])
    assert seen == {f"{genre}_{at:02d}.mid" for genre in ("rock", "disco") for at in range(1, 5)}


def test_both_of_a_pair_are_equally_long(sampled: Config) -> None:
    genre = listen_samples.sampled(sampled)[0]
    real = listen_real.RealMusic(sampled).held_out(genre.genre, 9, 20.0, 120.0)
    long = dataclasses.replace(
        genre.samples[0], arrays=dataclasses.replace(
            genre.samples[0].arrays, end=genre.samples[0].arrays.end + 100
        )
    )  # fmt: skip
    ((_, pair),) = listen_pairs.pairs(genre.genre, [long], real, 0)
    sizes = []
    for side in (pair.left, pair.right):
        low, high = raw_of(side)[1:3]
        sizes.append((low & 127) | high << 7)
    assert sizes[0] == sizes[1]
    assert sizes[0] <= listen_pairs.MAX_SECONDS * music.TICKS_PER_SECOND
    assert not listen_pairs.pairs(genre.genre, [long], [], 0)


def test_the_source_of_the_page_does_not_name_the_sides(sampled: Config) -> None:
    test = json.dumps(data_of(page_of(sampled), "test"))
    assert ".mid" not in test
    assert "Band" not in test


def test_real_music_is_what_the_encoding_keeps(sampled: Config) -> None:
    real = listen_real.RealMusic(sampled)
    (excerpt, *_) = real.held_out("rock", 1, 10.0, 100.0)
    assert excerpt.split == "test"
    tracks = pd.read_parquet(Path(sampled.data) / "notesequences" / "tracks.parquet")
    track = tracks[(tracks["artist"] + " - " + tracks["title"]) == excerpt.name].iloc[0]
    shard = Path(sampled.data) / "notesequences" / track["shard"]
    record = shard.read_bytes()[track["offset"] + 12 :][: track["num_bytes"]]
    encoding = open_encoding(sampled.examples)
    decoded = [
        notes.parse(encoding.decode(example, 100.0).SerializeToString()).pitch.tolist()
        for example in encoding.encode(extraction.read(record, "full")).examples
    ]
    assert excerpt.arrays.pitch.tolist() in decoded
    assert excerpt.arrays.tempo_qpms[0] == 100.0
    assert real.held_out("no such genre", 3, 10.0, 120.0) == []


def test_without_a_test_split_validation_stands_in(sampled: Config, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(sampled.data, data)
    path = data / "subsets" / "labels.parquet"
    labels = pd.read_parquet(path)
    labels["split"] = labels["split"].replace("test", "train")
    labels.to_parquet(path)
    real = listen_real.RealMusic(dataclasses.replace(sampled, data=str(data)))
    found = real.held_out("rock", 3, 10.0, 120.0)
    assert {excerpt.split for excerpt in found} == {"validation"}


def test_settings_are_those_of_the_samples(sampled: Config) -> None:
    told = "1,234 steps of training. Sampled with: seed 0, temperature 0.5, strategy full"
    assert f"{told}, primer_text &lt;b&gt;" in page_of(sampled).read_text()


def test_what_was_said_of_other_samples_is_not_said(sampled: Config, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(sampled.data, data)
    config = dataclasses.replace(sampled, data=str(data))
    with_samples(config, "rock", _SAMPLES - 1)
    text = page_of(config).read_text()
    assert "notes in a row in common" not in text
    assert "make evaluate" in text


def test_the_nearest_training_piece_is_told_and_heard(sampled: Config) -> None:
    path = page_of(sampled)
    text = path.read_text()
    said = "5 notes in a row in common (12 % of the sample) with"
    assert f"{said} {training_piece(sampled)}" in text
    assert text.count('<details class="near small"><summary>5 notes') == 2
    real = listen_real.RealMusic(sampled)
    packed = real.training_music("rock", training_piece(sampled), "x, 4.0 s to 9.0 s", 5.0)
    assert raw_of(packed)[0] == 10  # a note each half second
    longer = real.training_music("rock", training_piece(sampled), "4.0 s to 9.0 s", 30.0)
    assert longer in data_of(path, "music")
    assert real.training_music("rock", "Somebody - Something", "", 5.0) == ""
    assert text.count("make evaluate") == 1  # for disco


def test_rendered_sound_is_offered_where_it_is(sampled: Config, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(sampled.data, data)
    config = dataclasses.replace(sampled, data=str(data))
    folder = data / "samples" / "attention_rnn" / "rock"
    (folder / "rock_02.mp3").write_bytes(b"sound")
    (folder / "rock_03.mid").write_bytes(b"MThd")
    (folder / "rock_04.mid").unlink()
    (data / "reports" / "evaluation_attention_rnn.json").unlink()
    shutil.rmtree(data / "subsets")
    text = page_of(config).read_text()
    assert text.count("<audio ") == 1
    assert '<audio controls preload="none" src="rock/rock_02.mp3">' in text
    assert "Cannot be read: rock_03.mid, rock_04.mid" in text
    assert "make evaluate" in text
    assert "There is no blind test" in text


def test_the_same_bytes_twice(sampled: Config) -> None:
    first = page_of(sampled).read_bytes()
    assert page_of(sampled).read_bytes() == first
    assert page_of(dataclasses.replace(sampled, seed=1)).read_bytes() != first
    page_of(sampled)


def test_no_samples_is_told_in_a_sentence(tmp_path: Path) -> None:
    failed = run("viz.listen", "--set", f"data={tmp_path}")
    assert failed.returncode == 2
    assert "run `make sample` first" in failed.stderr


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The shares whose standard error, 1.96 times, just reaches what was found."""
    share, wide = hits / count, 1.959964**2 / count
    high, low = np.roots([1 + wide, -2 * share - wide, share**2])
    return float(low), float(high)


def answer(page: Page, number: int, key: str) -> None:
    expect(page.get_by_text(f"Pair {number} of 8")).to_be_visible()
    page.keyboard.press(key)


@pytest.mark.browser
def test_the_blind_test_by_keyboard(chromium: Browser, sampled: Config, tmp_path: Path) -> None:
    path = page_of(sampled)
    truths = [truth_of(pair) for pair in data_of(path, "test")["pairs"]]
    keys = {"left": "a", "right": "b"}
    with browser.opened(chromium, path) as shown:
        page = shown.page
        page.get_by_role("button", name="Begin").press("Enter")
        page.keyboard.press("2")
        expect(page.get_by_role("button", name="Stop the second")).to_be_visible()
        visible = page.locator("body").inner_text()
        assert not any(truth[side] in visible for truth in truths for side in keys)
        page.get_by_label("the second").last.check()
        answer(page, 1, keys[truths[0]["person"]])
        expect(page.get_by_text("Right. A person made")).to_be_visible()
        assert page.evaluate("genremill.isPlaying") is False
        expect(page.locator("#test canvas")).to_have_count(2)
        assert truths[0]["left"] in page.locator("#test").inner_text()
        page.keyboard.press("n")
        wrong = {"left": "b", "right": "a"}
        answer(page, 2, wrong[truths[1]["person"]])
        expect(page.get_by_text("Wrong.")).to_be_visible()
        page.reload()
        page.get_by_role("button", name="Go on").click()
        for number in range(3, 9):
            answer(page, number, keys[truths[number - 1]["person"]])
            page.keyboard.press("n")
        low, high = (round(100 * bound) for bound in wilson(7, 8))
        result = f"Right: 7 of 8 (88 %; 95 % interval {low} % to {high} %)"
        expect(page.get_by_text(result)).to_be_visible()
        with page.expect_download() as download:
            page.get_by_role("button", name="Save 8 answers as CSV").click()
        download.value.save_as(tmp_path / "answers.csv")
        assert download.value.suggested_filename == "listening-attention_rnn.csv"
        page.reload()
        expect(page.get_by_text(result)).to_be_visible()
        page.get_by_role("button", name="Begin anew").click()
        expect(page.get_by_role("button", name="Save 0 answers")).to_be_disabled()
        assert not shown.problems
    content = (tmp_path / "answers.csv").read_bytes().decode()
    assert content.startswith(_COLUMNS + "\r\n")
    rows = list(csv.DictReader(io.StringIO(content)))
    assert [row["correct"] for row in rows] == ["1", "0", *"111111"]
    assert [row["liked"] for row in rows] == ["right", *[""] * 7]
    for at, (row, truth) in enumerate(zip(rows, truths, strict=True), start=1):
        assert (row["pair"], row["genre"], row["model"]) == (
            str(at),
            truth["genre"],
            "attention_rnn",
        )
        assert (row["left"], row["right"]) == (truth["left"], truth["right"])
        assert (row["answer"] == truth["person"]) == (row["correct"] == "1")
        assert float(row["seconds"]) >= 0


@pytest.mark.browser
def test_all_samples_have_rolls_and_hostile_names_stay_text(
    chromium: Browser, sampled: Config, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(sampled.data, data)
    config = dataclasses.replace(sampled, data=str(data))
    with_evaluation(config, "rock", page_corpus.EVIL_ARTIST)
    with browser.opened(chromium, page_of(config), theme="dark", width=390) as shown:
        page = shown.page
        page.get_by_text("All samples beside real music").click()
        near = page.locator(".near > summary").filter(has_text="onerror").first
        assert page_corpus.EVIL_ARTIST in str(near.text_content())
        assert page.locator("main img").count() == 0
        canvas = page.locator(".sound canvas").first
        expect(page.locator(".sound .time").first).to_have_text("0:20")
        assert browser.count_colorful(canvas) > 500
        page.locator(".sound button").first.click()
        expect(page.get_by_role("button", name="Stop disco_01.mid")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert not shown.problems
