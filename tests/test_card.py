"""The dataset card, the licenses and the attribution: what they claim is what the tables say."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import files, layout, tables
from corpus.config import Config
from corpus.records import ArtistGenres, ScrapedFile, Track
from tests import finished_run
from tests.page_corpus import EVIL_ARTIST
from viz import card, licenses, markdown, rebuild, report_page
from viz.facts import Facts

LAKH = "CC BY 4.0 (Lakh MIDI Dataset, https://colinraffel.com/projects/lmd/)"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    made = finished_run.with_subsets(tmp_path_factory.mktemp("card"))
    report_page.write(made)
    return made


def folder(config: Config) -> Path:
    return Path(config.data) / "reports" / "card"


def head_of(text: str) -> dict[str, Any]:
    """The YAML between the first two lines of dashes, as a hub reads it."""
    yaml = pytest.importorskip("yaml")
    first, head, body = text.split("---\n", 2)
    assert first == ""
    assert body.startswith("\n# ")
    value = yaml.safe_load(head)
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        (LAKH, "cc-by-4.0"),
        ("CC-BY-NC-SA 3.0", "cc-by-nc-sa-3.0"),
        ("https://creativecommons.org/licenses/by-sa/4.0/", "cc-by-sa-4.0"),
        ("CC0 1.0 (https://creativecommons.org/publicdomain/zero/1.0/)", "cc0-1.0"),
        ("Public domain", "public-domain"),
        ("Public domain (https://example.org/x)", "public-domain"),
        ("public domain in the US or licensed for use (music21: corpus/license.txt)", "other"),
        ("non-commercial use (music21: corpus/essenFolksong/license.txt)", "other"),
        ("Creative Commons", "other"),
        ("CC BY", "other"),
        ("not in the public domain", "other"),
        ("MIT", "mit"),
        ("all rights reserved", "other"),
        ("", "unknown"),
    ],
)
def test_a_license_is_known_only_where_it_is_named(stated: str, name: str) -> None:
    assert licenses.name_of(stated) == name


@pytest.mark.parametrize(
    ("tracks", "labels", "hub"),
    [
        ([LAKH], [], "cc-by-4.0"),
        ([LAKH], [""], "cc-by-4.0"),
        ([LAKH, "CC0"], ["CC0"], "cc-by-4.0"),
        ([LAKH, ""], [], "other"),
        ([LAKH, "CC BY-NC 4.0"], [], "other"),
        ([LAKH], ["CC BY-NC-SA 3.0"], "other"),
        (["CC0", "CC0 1.0"], [], "cc0-1.0"),
        (["CC0", "Public domain"], [], "other"),
        (["Public domain"], ["CC BY 4.0"], "other"),
        (["all rights reserved"], [], "other"),
        (["CC BY-ND 2.1"], [], "other"),
        ([], [], "other"),
    ],
)
def test_the_whole_claims_no_more_than_its_parts(
    tracks: list[str], labels: list[str], hub: str
) -> None:
    assert licenses.whole(tracks, labels).hub == hub


def test_why_the_whole_has_no_license_is_said() -> None:
    assert licenses.whole([""], []).why == "Some tracks came without a license."
    assert licenses.whole([LAKH], ["CC BY-NC 4.0"]).why.startswith("Tracks and labels")


def test_the_head_says_what_hubs_read(config: Config) -> None:
    text = (folder(config) / "README.md").read_text("utf-8")
    head = head_of(text)
    assert head["license"] == "other"
    assert head["license_link"] == "LICENSES.md"
    assert head["size_categories"] == ["n<1K"]
    assert head["pretty_name"] == card.title(Facts(config))
    names = [c["config_name"] for c in head["configs"]]
    assert names == ["default", "rock", "disco"]
    for each in head["configs"]:
        of = "*" if each["config_name"] == "default" else each["config_name"]
        assert [f["split"] for f in each["data_files"]] == ["train", "validation", "test"]
        assert {f["path"] for f in each["data_files"]} == {
            f"data/{of}/{split}-*.parquet" for split in ("train", "validation", "test")
        }


def test_numbers_of_the_card_are_those_of_the_tables(config: Config) -> None:
    text = (folder(config) / "README.md").read_text("utf-8")
    labels = pd.read_parquet(Path(config.data) / "subsets" / "labels.parquet")
    tracks = pd.read_parquet(Path(config.data) / "notesequences" / "tracks.parquet")
    inside = labels[labels["subset"] != ""].drop_duplicates(["track_id", "subset"])
    taken = tracks[tracks["track_id"].isin(inside["track_id"])]
    assert f"{len(taken):,} scores of {taken['artist'].nunique():,} artists" in text
    assert f"{taken['num_notes'].sum():,} notes" in text
    assert f"Parquet, {len(inside):,} rows" in text
    for name in ("rock", "disco"):
        by = inside[inside["subset"] == name]["split"].value_counts()
        counts = " | ".join(str(by.get(split, 0)) for split in ("train", "validation", "test"))
        assert f"| {name} | {counts} |" in text
    assert str(config.data) not in text
    assert "SOURCE=scores" in text


def test_licenses_and_attribution_have_every_track(config: Config) -> None:
    tracks = pd.read_parquet(Path(config.data) / "notesequences" / "tracks.parquet")
    labels = pd.read_parquet(Path(config.data) / "subsets" / "labels.parquet")
    inside = set(labels[labels["subset"] != ""]["track_id"])
    text = (folder(config) / "LICENSES.md").read_text("utf-8")
    assert f"| not stated | `unknown` | {len(inside):,} | scores | - |" in text
    assert "CC BY-SA 3.0 \\| &lt;b&gt;table&lt;/b&gt;" in text
    rows = list(
        csv.DictReader(io.StringIO((folder(config) / "attribution.csv").read_text("utf-8")))
    )
    taken = tracks[tracks["track_id"].isin(inside)]
    wanted = taken[["track_id", "artist", "title", "source", "path"]]
    assert [tuple(row.values())[:5] for row in rows] == list(
        wanted.itertuples(index=False, name=None)
    )
    assert {row["license"] for row in rows} == {"unknown"}
    assert " ".join(EVIL_ARTIST.split()) in {row["artist"] for row in rows}


def test_croissant_of_the_tables_says_what_is_there(config: Config) -> None:
    told = json.loads((folder(config) / "croissant.json").read_text("utf-8"))
    for each in told["distribution"]:
        data = (folder(config) / each["contentUrl"]).read_bytes()
        assert each["sha256"] == hashlib.sha256(data).hexdigest()
        assert each["contentSize"] == f"{len(data)} B"
    columns = {s["@id"]: [f["@id"] for f in s["field"]] for s in told["recordSet"]}
    names = [f"ingest/{name}" for name in tables.schema_of(Track).names]
    assert columns["ingest"] == names
    mlcroissant = pytest.importorskip("mlcroissant")
    records = list(mlcroissant.Dataset(str(folder(config) / "croissant.json")).records("ingest"))
    assert len(records) == len(Facts(config).tracks)


def test_what_was_scraped_has_its_address_and_the_text_of_its_license(
    config: Config, tmp_path: Path
) -> None:
    raw = Path(config.data) / "raw" / "scores"
    path = str(Facts(config).taken["path"].iloc[0])
    text = "Do as you like.\n```\n# not a heading"
    digest = hashlib.sha256(text.encode()).hexdigest()
    values = {field.name: "" for field in dataclasses.fields(ScrapedFile)}
    values |= {"path": path, "url": "https://example.org/a?b=<c>", "license_hash": digest}
    row = ScrapedFile(**{**values, "num_bytes": 1, "offset": 0, "also_at": []})  # type: ignore[arg-type]
    (raw / "licenses").mkdir(parents=True)
    (raw / "licenses" / f"{digest}.txt").write_text(text)
    tables.write_table(str(raw / layout.SOURCES), [row], ScrapedFile)
    facts = Facts(config)
    assert "````text\nDo as you like.\n```\n# not a heading\n````" in licenses.licenses_file(facts)
    rows = list(csv.DictReader(io.StringIO(licenses.attribution_file(facts))))
    assert [r["url"] for r in rows if r["url"]] == ["https://example.org/a?b=<c>"]
    inside = Facts(config).origin("scores", f"{path}/inner.mid")
    assert inside is not None
    assert inside.url == "https://example.org/a?b=<c>"
    for file in (raw / layout.SOURCES, raw / "licenses" / f"{digest}.txt"):
        file.unlink()
    files.delete_empty_folders(str(Path(config.data) / "raw"))


def test_what_spotify_says_is_named_with_its_terms(config: Config) -> None:
    rows = tables.read_table(Facts(config).place.artist_genres_table, ArtistGenres)
    spotify = [dataclasses.replace(row, provider="spotify", license="") for row in rows]
    facts = Facts(config)
    facts.__dict__["artist_rows"] = tables.to_arrow(spotify, ArtistGenres).to_pandas()
    from viz import export

    (note,) = export._notes(facts)[1:]
    assert "labels of spotify are in it" in note
    assert licenses.terms_of("spotify")[0] in card.card(facts, facts.counts()).replace("\\", "")


def test_a_card_after_ingest_alone(tmp_path: Path) -> None:
    config = finished_run.ingested(tmp_path)
    report_page.write(config)
    text = (folder(config) / "README.md").read_text("utf-8")
    assert "configs" not in head_of(text)
    assert f"{len(Facts(config).tracks):,} scores" in text
    assert "make ingest SOURCE=scores" in text


@given(st.text(max_size=40))
def test_any_text_comes_back_from_yaml(text: str) -> None:
    yaml = pytest.importorskip("yaml")
    lines = "\n".join(markdown.yaml({"a": text, "b": [text, {"c": text}]}))
    assert yaml.safe_load(lines) == {"a": text, "b": [text, {"c": text}]}


def test_markdown_stays_text() -> None:
    told = markdown.escaped("a|b\n# <b>*c*</b> [d](e) `f`")
    assert told == "a\\|b \\# &lt;b&gt;\\*c\\*&lt;/b&gt; \\[d\\](e) \\`f\\`"


def test_commands_give_what_is_not_the_default() -> None:
    config = Config(data="x", seed=3)
    assert rebuild.of_corpus(config) == {"seed": "3"}
    subsets = dataclasses.replace(
        config.subsets, genres=("r&b", "hip hop"), where="qpm > 120 and key = 'C'", min_tracks=5
    )
    genres = dataclasses.replace(config.genres, table="/home/me/t.csv")
    config = dataclasses.replace(config, subsets=subsets, genres=genres)
    told = rebuild.command(rebuild.of_corpus(config, with_paths=False), "ingest subsets", "out")
    assert told == (
        "make ingest subsets SEED=3 GENRE_TABLE=t.csv GENRES='r&b,hip hop' "
        "WHERE='qpm > 120 and key = '\"'\"'C'\"'\"'' SET='--set subsets.min_tracks=5' DATA=out"
    )
    odd = dataclasses.replace(config, deny="/a b/deny.txt")
    lines = rebuild.command(rebuild.of_corpus(odd), "ingest subsets", "out").splitlines()
    assert [line.split()[2] for line in lines] == ["pipelines.ingest", "pipelines.subsets"]
    assert "'deny=/a b/deny.txt'" in lines[0]
