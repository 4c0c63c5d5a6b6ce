"""The report page: every number is that of the tables, worked out here in another way."""

from __future__ import annotations

import dataclasses
import html
import json
import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser

from corpus import reports
from corpus.config import Config
from corpus.layout import Layout
from corpus.stages.subsets import SubsetsStage
from tests import browser, finished_run, makers
from tests.page_corpus import EVIL_ARTIST, EVIL_GENRE
from tests.test_pipelines import run
from viz import drawing, report, report_page, staleness
from viz.facts import Facts

chromium = browser.chromium
SPLITS = ("train", "validation", "test")


class Tables(HTMLParser):
    """The tables of a page: caption -> rows of cells as text, the head first."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, list[list[str]]] = {}
        self._caption, self._cell = "", None
        self._rows: list[list[str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "table":
            self._rows = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th", "caption"):
            self._cell = ""

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "caption":
            self._caption, self._cell = self._cell or "", None
        elif tag in ("td", "th"):
            self._rows[-1].append(self._cell or "")
            self._cell = None
        elif tag == "table":
            self.found[self._caption] = self._rows

    _cell: str | None


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    made = finished_run.whole(tmp_path_factory.mktemp("report"))
    report_page.write(made)
    return made


@pytest.fixture(scope="module")
def page(config: Config) -> str:
    return Path(Layout(config.data).report_page).read_text("utf-8")


@pytest.fixture(scope="module")
def found(page: str) -> dict[str, list[list[str]]]:
    return Tables(page).found


def read(config: Config, name: str) -> pd.DataFrame:
    return pd.read_parquet(Path(config.data) / name)


def rejected(config: Config, folder: str) -> Counter[str]:
    path = Path(config.data) / folder / "rejections.jsonl"
    return Counter(
        json.loads(line)["reason"] for line in path.read_text("utf-8").split("\n") if line
    )


def test_the_funnel(config: Config, found: dict[str, list[list[str]]]) -> None:
    tracks, artists = read(config, "notesequences/tracks.parquet"), read(
        config, "genres/artist_genres.parquet"
    )  # fmt: skip
    labels = read(config, "subsets/labels.parquet")
    unique = tracks[tracks["duplicate_of"] == ""]
    known = unique[unique["artist"].isin(artists[artists["genre"] != ""]["artist"])]
    in_subset = labels[labels["subset"] != ""]["track_id"].nunique()
    wanted = {
        "files": 37, "read": len(tracks), "unique": len(unique), "genre found": len(known),
        "in a subset": in_subset,
    }  # fmt: skip
    _, *rows = found["Tracks left after each step"]
    told = {row[0]: int(row[1].replace(",", "")) for row in rows}
    assert wanted.items() <= told.items()
    assert in_subset <= len(known) < len(unique) < len(tracks) < 37
    lost = [int(row[3].replace(",", "")) for row in rows]
    assert sum(lost) == 37 - in_subset


def test_reasons_are_counted_as_their_files_have_them(
    config: Config, found: dict[str, list[list[str]]], page: str
) -> None:
    for name, folder in (("ingest", "notesequences"), ("genres", "genres"), ("subsets", "subsets")):
        _, *rows = found[f"Reasons of {name}"]
        assert {row[0]: int(row[1]) for row in rows} == rejected(config, folder)
        assert all(row[2] for row in rows), "a reason without a meaning"
    assert found["Examples of truncated"][1][0] == "Band 2/Broken <i>.mid"
    assert html.escape("Band 2/Broken <i>.mid") in page


def test_stages_add_up(found: dict[str, list[list[str]]]) -> None:
    _, *rows = found["Every input is an output or a rejection"]
    names = [row[0] for row in rows]
    assert names[:4] == ["ingest", "genres", "subsets", "examples attention_rnn"]
    assert names[4:] == ["train attention_rnn, rock", "sample attention_rnn, rock"]
    for _, _, inputs, outputs, lost, _ in rows:
        assert int(inputs) == int(outputs) + int(lost)


def test_duplicates(config: Config, found: dict[str, list[list[str]]]) -> None:
    tracks = read(config, "notesequences/tracks.parquet")
    kinds = Counter(kind for kind in tracks["duplicate_kind"] if kind)
    assert kinds["bytes"] == 1
    _, *rows = found["Kinds of duplicates"]
    assert Counter({row[0]: int(row[1]) for row in rows}) == kinds
    _, *rows = found["The largest clusters"]
    sizes = tracks["cluster"].value_counts()
    assert sorted(int(row[0]) for row in rows) == sorted(sizes[sizes > 1])


def test_splits(config: Config, found: dict[str, list[list[str]]]) -> None:
    labels = read(config, "subsets/labels.parquet")
    tracks = read(config, "notesequences/tracks.parquet").set_index("track_id")
    _, *rows = found["Tracks by split; artists, and how many of them stand on several sides of it"]
    assert [row[0] for row in rows] == ["rock", "disco"]
    for name, total, *each, artists, sides, rule in rows:
        mine = dict(labels[labels["subset"] == name][["track_id", "split"]].to_numpy().tolist())
        counts = Counter(mine.values())
        assert [int(total), *map(int, each)] == [len(mine), *(counts[s] for s in SPLITS)]
        pairs = {(tracks["artist"][track], split) for track, split in mine.items()}
        by = Counter(artist for artist, _ in pairs)
        assert [int(artists), int(sides)] == [len(by), sum(n > 1 for n in by.values())]
        assert rule in ("artist", "song family", "song family, by rank")


def test_labels(config: Config, found: dict[str, list[list[str]]]) -> None:
    artists = read(config, "genres/artist_genres.parquet")
    labels = read(config, "subsets/labels.parquet").drop_duplicates(["track_id", "genre"])
    said = artists[artists["genre"] != ""]
    (row,) = found["Providers of genres, and how many artists and single tracks they label"][1:]
    assert row[:4] == ["table", str(len(said)), str(said["artist"].nunique()), "0"]
    assert row[4] == finished_run.LICENSE
    _, *rows = found["Labels of tracks by confidence"]
    assert sum(int(row[1]) for row in rows) == len(labels)
    _, *rows = found["Tracks of the commonest genres"]
    counts = labels["genre"].value_counts()
    assert {row[0]: int(row[2]) for row in rows} == counts.to_dict()
    assert EVIL_GENRE in counts


def test_examples_models_and_samples(config: Config, found: dict[str, list[list[str]]]) -> None:
    told = reports.require(Layout(config.data).examples("attention_rnn"), "examples")
    counts = json.loads(json.dumps(told.details["counts"]))
    _, *rows = found["Examples of attention_rnn"]
    assert len(rows) == 6
    for genre, split, *numbers in rows:
        by = counts[genre][split]
        keys = ("pieces", "pieces_with_examples", "examples", "steps")
        wanted = [*(by[key] for key in keys), sum(by["dropped"].values())]
        assert [int(n.replace(",", "")) for n in numbers] == wanted
    total = sum(by["examples"] for splits in counts.values() for by in splits.values())
    (row,) = found["On from there; a track of two genres is two pieces"][1:]
    assert row == ["attention_rnn", str(told.inputs), str(told.outputs), f"{total:,}", "1", "2"]
    assert found["Losses of attention_rnn"][1:] == [
        ["rock", "4", "train", "90", "2.432", "0.500"],
        ["rock", "4", "validation", "8", "2.750", "0.250"],
        ["rock", "4", "test", "0", "-", "-"],
    ]
    assert found["Samples of attention_rnn"][1] == ["rock", "2", "rock_01.mid, rock_02.mid"]
    assert found["Samples of attention_rnn beside held-out music"][1] == [
        "rock", "2", "1.235", "1", "3"
    ]  # fmt: skip


def test_curves_have_every_evaluation(page: str) -> None:
    for entry in finished_run.HISTORY:
        for key in ("train_loss", "validation_loss"):
            assert f"<title>step {entry['step']:.0f}: {entry[key]:.4f}</title>" in page
    assert page.count("<circle") == 2 * len(finished_run.HISTORY)


def test_curves_stand_where_their_values_are() -> None:
    drawn = drawing.curves("loss", {"train": [(1, 10.0), (2, 5.0), (4, 0.0)]})
    xs = [float(x) for x in re.findall(r'cx="([\d.]+)"', drawn)]
    ys = [float(y) for y in re.findall(r'cy="([\d.]+)"', drawn)]
    assert xs[1] - xs[0] == pytest.approx((xs[2] - xs[0]) / 3, abs=0.1)
    assert ys[1] == pytest.approx((ys[0] + ys[2]) / 2, abs=0.1)
    assert ys[0] < ys[2]
    assert drawing.curves("nothing", {"train": []}) == ""
    assert "nan" not in drawing.curves("flat", {"train": [(5, 0.0)]})


def test_commands_and_settings(config: Config, page: str) -> None:
    text = html.unescape(page)
    assert f"SOURCE={config.ingest.source}" in text
    assert "GENRES=rock,disco" in text
    assert "make examples train sample MODEL=attention_rnn SEED=7 HPARAMS=batch_size=4" in text
    assert "train.num_steps=6" in text
    assert "sample.num_outputs=3" in text


def test_strangers_text_is_no_markup(page: str) -> None:
    assert "onerror" in page
    assert "<img" not in page
    assert "<script>alert" not in page
    assert "<i>more" not in page
    assert html.escape(" ".join(EVIL_ARTIST.split()), quote=True) in page


def test_the_same_run_gives_the_same_bytes(config: Config, page: str) -> None:
    before = {p: p.read_bytes() for p in Path(Layout(config.data).card).iterdir()}
    report_page.write(config)
    assert Path(Layout(config.data).report_page).read_text("utf-8") == page
    assert {p: p.read_bytes() for p in Path(Layout(config.data).card).iterdir()} == before


def test_after_ingest_alone_what_is_missing_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = finished_run.ingested(tmp_path)
    assert report.main(["--set", f"data={config.data}"]) == 0
    assert "report.html" in capsys.readouterr().out
    page = Path(Layout(config.data).report_page).read_text("utf-8")
    for target in ("subsets", "genres", "examples", "train", "sample", "evaluate"):
        assert f"<code>make {target}</code>" in page
    tables = Tables(page).found
    assert [row[0] for row in tables["Tracks left after each step"]] == [
        "step", "files", "read", "unique"
    ]  # fmt: skip


def test_what_is_out_of_date_is_said(config: Config, tmp_path: Path) -> None:
    assert list(staleness.outdated(Facts(config))) == [
        "attention_rnn, rock: trained on other examples than there are now.",
        "attention_rnn, rock: sampled from another model than there is now.",
    ]
    assert not list(staleness.other_settings(Facts(config)))
    subsets = dataclasses.replace(config.subsets, min_tracks=4)
    changed = dataclasses.replace(config, subsets=subsets)
    (line,) = staleness.other_settings(Facts(changed))
    assert line.startswith("subsets ran with other settings")
    made = finished_run.with_subsets(tmp_path)
    makers.run_in_loop(SubsetsStage(dataclasses.replace(made, seed=5)))
    assert any("subsets ran" in line for line in staleness.other_settings(Facts(made)))


def test_the_table_and_the_exit_code_are_as_before(config: Config) -> None:
    printed = run("viz.report", "--set", f"data={config.data}")
    assert printed.returncode == 0, printed.stderr
    names = [each.stage for each in report.stage_reports(config)]
    assert [line.split()[0] for line in printed.stdout.splitlines()[2 : 2 + len(names)]] == names


def links(page: str) -> Iterator[str]:
    return (html.unescape(to) for to in re.findall(r'href="([^"#][^"]*)"', page))


def test_links_lead_to_files_that_are_there(config: Config, page: str) -> None:
    folder = Path(Layout(config.data).reports)
    found = [to for to in links(page) if not to.startswith("data:")]
    assert "evaluation_attention_rnn.html" in found
    assert "../samples/attention_rnn/rock/rock_01.mid" in found
    for to in found:
        assert (folder / to).exists(), to


@pytest.mark.browser
@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
def test_a_browser_shows_it_without_a_word(
    chromium: Browser, config: Config, page: str, theme: browser.Theme, width: int
) -> None:
    path = Path(Layout(config.data).report_page)
    with browser.opened(chromium, path, theme=theme, width=width) as shown:
        wide = shown.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
        assert shown.page.locator("svg[role=img]").count() > 5
        assert shown.page.locator("img").count() == 0
        shown.page.locator("summary").first.press("Enter")
        assert shown.page.locator("details[open]").count() == 1
        assert shown.problems == []
