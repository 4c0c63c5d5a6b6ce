"""Lakh and PDMX as their makers offer them: scraped by the command line, then ingested."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import pickle
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from corpus import command, layout, tables
from corpus.config import Config, IngestConfig
from corpus.records import ScrapedFile
from corpus.sources import open_source
from corpus.sources.scraped import ScrapedSource
from corpus.stages.ingest import IngestStage
from pipelines import scrape
from tests import makers, packing
from tests.fake_files import File, FileServer, Trick, serve_files

ROOT = Path(__file__).parents[1]
TRACK = "TRAAAGR128F425B14B"
MD5S = [hashlib.md5(makers.melody(n)).hexdigest() for n in range(4)]
LAKH = "CC BY 4.0 (Lakh MIDI Dataset, https://colinraffel.com/projects/lmd/)"
IPFS = [f"Qm{n:044d}" for n in range(6)]
HEADER = [
    "path", "metadata", "license", "license_url", "license_conflict", "title", "song_name",
    "subtitle", "artist_name", "composer_name", "mid", "mxl",
]  # fmt: skip
DEED = "https://creativecommons.org/publicdomain/mark/1.0/"


def lakh_files() -> dict[str, bytes]:
    """Lakh's files in their layouts, a song or two each."""
    full = {f"{md5[0]}/{md5}.mid": makers.melody(n) for n, md5 in enumerate(MD5S[:2])}
    track = f"{TRACK[2]}/{TRACK[3]}/{TRACK[4]}/{TRACK}"
    matched = {f"{track}/{MD5S[2]}.mid": makers.melody(2)}
    clean = {"ABBA/Waterloo.2.mid": makers.melody(4), "Queen/39.mid": makers.melody(5)}
    originals = {MD5S[0]: ["D/Dire Straits - Money.mid"], MD5S[2]: ["C/Cyndi Lauper - Night.mid"]}
    return {
        "lmd_full.tar.gz": packing.pack("tar.gz", full, "lmd_full/"),
        "lmd_matched.tar.gz": packing.pack("tar.gz", matched, "lmd_matched/"),
        "lmd_aligned.tar.gz": packing.pack("tar.gz", matched, "lmd_aligned/"),
        "clean_midi.tar.gz": packing.pack("tar.gz", clean, "clean_midi/"),
        "md5_to_paths.json": json.dumps(originals).encode(),
        "match_scores.json": json.dumps({TRACK: {MD5S[2]: 0.8}}).encode(),
    }


def pdmx_rows() -> list[list[str]]:
    """Public domain; CC0 without title; a conflict; `NA` in place of files; not in the table."""
    said = [
        ["publicdomain", DEED, "False", "Sonata, No. 1\n(live)", "NA", "", "NA", "Ludwig"],
        ["cc-zero", "NA", "False", "NA", "Air", "", "Some User", "NA"],
        ["publicdomain", DEED, "True", "Pop Song", "NA", "", "NA", "Somebody"],
        ["publicdomain", DEED, "False", "Lost", "NA", "", "NA", "Nobody"],
    ]
    rows = []
    for name, facts in zip(IPFS, said, strict=False):
        here = "NA" if facts[3] == "Lost" else f"./mid/1/11/{name}.mid"
        there = "NA" if facts[3] == "Lost" else f"./mxl/1/11/{name}.mxl"
        rows.append([f"./data/1/11/{name}.json", "NA", *facts, here, there])
    return rows


def pdmx_files(top: str = "") -> dict[str, bytes]:
    """PDMX's files; members begin with `mid/`, or with `./mid/` as tar makes them of a folder."""
    text = io.StringIO()
    csv.writer(text).writerows([HEADER, *pdmx_rows()])
    score = makers.mxl(
        {
            "META-INF/container.xml": b'<container><rootfiles><rootfile full-path="s.xml"/>'
            b"</rootfiles></container>",
            "s.xml": makers.musicxml(notes=8),
        }
    )
    midis = {f"1/11/{IPFS[n]}.mid": makers.melody(10 + n) for n in (0, 1, 2, 5)}
    return {
        "PDMX.csv": text.getvalue().encode(),
        "mid.tar.gz": packing.pack("tar.gz", midis, f"{top}mid/"),
        "mxl.tar.gz": packing.pack("tar.gz", {f"1/11/{IPFS[0]}.mxl": score}, f"{top}mxl/"),
    }


def catalog(server: FileServer, sites: Mapping[str, Mapping[str, bytes]], path: Path) -> Path:
    """Serves the files, and describes where they are."""
    by_choice = ("lmd_matched", "lmd_aligned", "clean_midi", "mxl")
    lines = []
    for site, content in sites.items():
        lines += [f"[{site}]", 'adapter = "files"', 'automation = "bulk"', f'rights = "{LAKH}"']
        for name, data in content.items():
            server.files[f"/{site}/{name}"] = File(data)
            lines += [
                f"[[{site}.files]]", f'name = "{name}"', f'url = "{server.url}/{site}/{name}"',
                f"num_bytes = {len(data)}", f'sha256 = "{hashlib.sha256(data).hexdigest()}"',
                f"default = {str(name.split('.')[0] not in by_choice).lower()}",
            ]  # fmt: skip
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(autouse=True)
def contact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENREMILL_CONTACT", "tests@example.org")


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serve_files({}) as running:
        yield running


def arguments(site: str, data: Path, *more: str) -> list[str]:
    values = [
        f"data={data}", f"scrape.catalog={data.parent / 'catalog.toml'}",
        "scrape.private_hosts=127.0.0.1", "scrape.delay_seconds=0", *more,
    ]  # fmt: skip
    return ["--site", site, *(part for value in values for part in ("--set", value))]


def collect(site: str, data: Path, *more: str) -> int:
    return scrape.main(arguments(site, data, *more))


def ingest(site: str, data: Path) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """(path -> row of the tracks, path -> reason) of what was scraped."""
    config = Config(data=str(data), ingest=IngestConfig(source=str(data / "raw" / site)))
    stage = IngestStage(config)
    makers.run_in_loop(stage)
    tracks = pq.read_table(Path(stage.folder) / layout.TRACKS).to_pylist()
    lines = (Path(stage.folder) / layout.REJECTIONS).read_text().splitlines()
    rejected = [json.loads(line) for line in lines]
    return {row["path"]: row for row in tracks}, {row["path"]: row["reason"] for row in rejected}


def test_lakh(server: FileServer, tmp_path: Path) -> None:
    content = lakh_files()
    catalog(server, {"lakh": content}, tmp_path / "catalog.toml")
    data = tmp_path / "out"
    assert collect("lakh", data) == 0
    wanted = {"lmd_full.tar.gz", "md5_to_paths.json", "match_scores.json"}
    assert {asked.path for asked in server.asked} == {f"/lakh/{name}" for name in wanted}
    tracks, rejected = ingest("lakh", data)
    assert rejected == {}
    first, second = (f"lmd_full.tar.gz/{md5[0]}/{md5}.mid" for md5 in MD5S[:2])
    named = [(tracks[p]["artist"], tracks[p]["title"], tracks[p]["source"]) for p in tracks]
    assert named == [("Dire Straits", "Money", "lakh"), ("lakh", MD5S[1], "lakh")]
    assert {tracks[p]["license"] for p in (first, second)} == {LAKH}

    server.asked.clear()
    assert collect("lakh", data) == 0
    assert collect("lakh", data, "force=true") == 0
    assert server.asked == []
    assert collect("lakh", data, "scrape.only=all") == 0
    assert {asked.path for asked in server.asked} == {f"/lakh/{n}" for n in content.keys() - wanted}
    assert {p.name: p.read_bytes() for p in (data / "raw/lakh").iterdir() if p.name in content} == (
        content
    )
    tracks, rejected = ingest("lakh", data)
    assert rejected == {}
    artists = {path.partition("/")[0]: row["artist"] for path, row in tracks.items()}
    assert artists["lmd_matched.tar.gz"] == artists["lmd_aligned.tar.gz"] == "Cyndi Lauper"
    waterloo = tracks["clean_midi.tar.gz/ABBA/Waterloo.2.mid"]
    assert (waterloo["artist"], waterloo["title"]) == ("ABBA", "Waterloo")
    assert {row["license"] for row in tracks.values()} == {LAKH}


@pytest.mark.parametrize("top", ["", "./"])
def test_pdmx(server: FileServer, tmp_path: Path, top: str) -> None:
    catalog(server, {"pdmx": pdmx_files(top)}, tmp_path / "catalog.toml")
    data = tmp_path / "out"
    assert collect("pdmx", data, "scrape.only=all" if top else "scrape.only=") == 0
    tracks, rejected = ingest("pdmx", data)
    first, second, conflict, _, _, unknown = (f"mid.tar.gz/1/11/{name}.mid" for name in IPFS)
    assert rejected == {conflict: "license_conflict", unknown: "unknown_rights"}
    told = {p: (r["artist"], r["title"], r["license"]) for p, r in tracks.items()}
    ludwig = ("Ludwig", "Sonata, No. 1 (live)", f"Public domain ({DEED})")
    expected = {first: ludwig, second: ("Some User", "Air", "CC0 1.0")}
    assert told == expected | ({f"mxl.tar.gz/1/11/{IPFS[0]}.mxl": ludwig} if top else {})


def test_only_picks_files(
    server: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog(server, {"lakh": lakh_files(), "pdmx": pdmx_files()}, tmp_path / "catalog.toml")
    data = tmp_path / "out"
    wrong = arguments("lakh", data, "scrape.only=lmd_ful")
    assert command.run(scrape.main, wrong) == 2
    error = capsys.readouterr().err
    assert "lakh has no file 'lmd_ful'; it has lmd_full.tar.gz, lmd_matched.tar.gz" in error
    assert collect("lakh", data, "scrape.only=clean_midi,md5_to_paths.json") == 0
    names = ["/lakh/clean_midi.tar.gz", "/lakh/md5_to_paths.json"]
    assert [asked.path for asked in server.asked] == names
    assert collect("pdmx", data, "scrape.only=mid") == 0
    with pytest.raises(ValueError, match=r"lacks PDMX\.csv, which says whose rights"):
        open_source(str(data / "raw/pdmx")).list_files()
    assert collect("pdmx", data, "scrape.only=PDMX") == 0
    source = open_source(str(data / "raw/pdmx"))
    assert len(source.list_files()) == 4


def test_a_pdmx_table_that_changes_is_read_anew(server: FileServer, tmp_path: Path) -> None:
    catalog(server, {"pdmx": pdmx_files()}, tmp_path / "catalog.toml")
    data = tmp_path / "out"
    assert collect("pdmx", data) == 0
    source = open_source(str(data / "raw/pdmx"))
    state, listed = source.state(), source.list_files()
    assert isinstance(source, ScrapedSource)
    assert len(pickle.dumps(source)) < 2000
    assert pickle.loads(pickle.dumps(source)).list_files() == listed
    table = data / "raw/pdmx/PDMX.csv"
    table.write_bytes(table.read_bytes().replace(b"True", b"False"))
    changed = open_source(str(data / "raw/pdmx"))
    assert changed.state() != state
    assert sum(bool(file.reject_reason) for file in changed.list_files()) == 1
    table.write_bytes(b"mid,title\nx.mid,y\n")
    with pytest.raises(ValueError, match="lacks the column license, license_conflict"):
        open_source(str(data / "raw/pdmx")).list_files()


def test_archives_without_members_and_lost_ones_are_told(
    server: FileServer, tmp_path: Path
) -> None:
    content = lakh_files() | {"lmd_full.tar.gz": packing.pack("tar.gz", {})}
    content |= {"waltz.mid": makers.melody(7)}
    catalog(server, {"lakh": content}, tmp_path / "catalog.toml")
    data = tmp_path / "out"
    assert collect("lakh", data, "scrape.only=all") == 0
    (data / "raw/lakh/lmd_matched.tar.gz").unlink()
    tracks, rejected = ingest("lakh", data)
    assert tracks["waltz.mid"]["md5"] == hashlib.md5(makers.melody(7)).hexdigest()
    assert rejected["lmd_full.tar.gz"] == "empty_archive"
    assert rejected["lmd_matched.tar.gz"] == "unreadable_file"


def test_names_of_a_catalog_are_distinct(
    server: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("crawl.sqlite", "a.zip"):
        text = "".join(
            f'[[x.files]]\nname = "{n}"\nurl = "{server.url}"\n' for n in (name, "a.zip")
        )
        (tmp_path / "catalog.toml").write_text(f'[x]\nadapter = "files"\n{text}')
        assert command.run(scrape.main, arguments("x", tmp_path / "out")) == 2
        assert f"x: '{name}' stands there already" in capsys.readouterr().err


def test_what_was_begun_keeps_its_name_when_less_is_wanted(
    server: FileServer, tmp_path: Path
) -> None:
    content = lakh_files()
    catalog(server, {"lakh": content}, tmp_path / "catalog.toml")
    data = tmp_path / "out"
    cut = Trick(status=503, headers={"Retry-After": "100000"})
    server.trick("/lakh/lmd_full.tar.gz", cut)
    assert collect("lakh", data, "scrape.only=all") == 75
    (data / "raw" / "hosts.sqlite").unlink()
    assert collect("lakh", data, "scrape.only=clean_midi") == 0
    made = {row.path: row.sha256 for row in rows(data / "raw/lakh")}
    archives = {n: d for n, d in content.items() if n.endswith("gz")}
    assert made == {name: hashlib.sha256(data).hexdigest() for name, data in archives.items()}


def rows(folder: Path) -> list[ScrapedFile]:
    return tables.read_table(str(folder / layout.SOURCES), ScrapedFile)


def start(*flags: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.scrape", *flags],
        cwd=ROOT, env=os.environ | {"GENREMILL_CONTACT": "tests@example.org"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_killed_in_the_middle_and_out_of_megabytes(server: FileServer, tmp_path: Path) -> None:
    """kill -9, the same command under a day's limit, and the same command the day after."""
    packed = gzip.compress(random.Random(3).randbytes(3_000_000))
    catalog(server, {"lakh": {"big.tar.gz": packed}}, tmp_path / "catalog.toml")
    data, path = tmp_path / "out", "/lakh/big.tar.gz"
    part = data / "raw/lakh/.big.tar.gz.download"
    flags = arguments("lakh", data)
    server.trick(path, Trick(pause=0.02))
    process = start(*flags)
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if part.exists() and part.stat().st_size > 200_000:
            break
        time.sleep(0.005)
    process.kill()
    process.communicate()
    had = part.stat().st_size
    assert 200_000 < had < len(packed)

    process = start(*flags, "--set", "scrape.daily_mb=1")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 75, out + err
    assert "resume after" in out
    assert server.ranges(path)[1].startswith(f"bytes={had}-")
    had_later = part.stat().st_size
    assert had + 1_000_000 <= had_later <= had + 1_000_000 + 65_536

    server.asked.clear()
    assert scrape.main(flags) == 0
    assert server.ranges(path) == [f"bytes={had_later}-"]
    assert server.sent(path) == len(packed) - had_later
    assert (data / "raw/lakh/big.tar.gz").read_bytes() == packed
    [row] = rows(data / "raw/lakh")
    assert row.sha256 == hashlib.sha256(packed).hexdigest()
    assert not part.exists()
