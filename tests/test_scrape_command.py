"""Scraping as a user starts it: runners, kills, restarts, refusals, and the road to samples."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests import fake_sites, makers
from tests.fake_services import FakeService, Reply, serve
from tests.fake_sites import FakeSite, describe, link, page
from tests.test_pipelines import run, start

ROOT = Path(__file__).parents[1]
CONTACT = {"GENREMILL_CONTACT": "tests@example.org"}
# What differs from run to run: when, and where in which file.
NOT_COMPARED = ["retrieved_at", "checked_at", "warc", "offset"]


def flags(toml: Path, data: Path, *more: str) -> list[str]:
    values = [
        f"scrape.site={toml}",
        f"data={data}",
        "scrape.private_hosts=127.0.0.1,localhost",
        *(more or ["scrape.delay_seconds=0"]),
    ]
    return [part for value in values for part in ("--set", value)]


def table_of(data: Path, name: str = "site") -> pd.DataFrame:
    return pd.read_parquet(data / "raw" / name / "sources.parquet")


def asked(server: FakeService) -> Counter[str]:
    return Counter(f"{r.host}{r.target}" for r in server.requests)


@pytest.fixture
def two_hosts() -> Iterator[tuple[FakeSite, FakeService, str]]:
    """One server under two names, whose pages lead to each other."""
    site = FakeSite()
    with serve(site) as server:
        other = f"http://localhost:{server.port}"
        for i in range(60):
            site.add_score(f"/m/{i}.mid", fake_sites.score(i))
            here, there = (server.url, other) if i % 2 else (other, server.url)
            body = f"<h1>Band {i % 7}</h1>{link(f'{there}/m/{i}.mid', f'Song {i}')}"
            site.pages[f"/p/{i}"] = page(body + link(f"{here}/p/{i + 1}", "next"))
        site.pages["/p/60"] = page("the end")
        site.pages["/"] = page(link("/p/0"))
        yield site, server, other


def two_host_toml(path: Path, server: FakeService, other: str) -> Path:
    hosts = ["127.0.0.1", f"localhost:{server.port}"]
    return describe(path, server, hosts=hosts, within=[f"{server.url}/", f"{other}/"])


def test_any_runner_and_a_killed_run_give_the_same(
    tmp_path: Path, two_hosts: tuple[FakeSite, FakeService, str]
) -> None:
    _, server, other = two_hosts
    toml = two_host_toml(tmp_path / "site.toml", server, other)
    tables = {}
    for runner in ("local", "multiprocess"):
        done = run(
            "pipelines.scrape", *flags(toml, tmp_path / runner, f"beam.runner={runner}",
            "scrape.delay_seconds=0"), **CONTACT,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "60 scores" in done.stdout
        tables[runner] = table_of(tmp_path / runner).drop(columns=NOT_COMPARED)
    assert set(server.most_at_once.values()) == {1}

    before = len(server.requests)
    arguments = flags(toml, tmp_path / "killed", "scrape.delay_seconds=0.03")
    for requests in (20, 50, 90):
        process = start("pipelines.scrape", *arguments, **CONTACT)
        deadline = time.monotonic() + 60
        while len(server.requests) < before + requests and time.monotonic() < deadline:
            time.sleep(0.01)
        assert process.poll() is None, process.communicate()
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    last = run("pipelines.scrape", *arguments, **CONTACT)
    assert last.returncode == 0, last.stderr
    tables["killed"] = table_of(tmp_path / "killed").drop(columns=NOT_COMPARED)
    again = Counter(f"{r.host}{r.target}" for r in server.requests[before:])
    # A kill may lose the page in flight of each host, and no other.
    assert sum(count - 1 for count in again.values()) <= 3 * 2
    for other_table in ("multiprocess", "killed"):
        pd.testing.assert_frame_equal(tables["local"], tables[other_table])
    for host in {request.host for request in server.requests}:
        times = [request.at for request in server.requests[before:] if request.host == host]
        assert min(b - a for a, b in itertools.pairwise(times)) >= 0.03


def test_a_second_run_of_the_same_site_is_refused(tmp_path: Path) -> None:
    site = FakeSite()
    site.add_composers(5, 5)
    with serve(site) as server:
        toml = describe(tmp_path / "site.toml", server)
        first = start(
            "pipelines.scrape", *flags(toml, tmp_path / "d", "scrape.delay_seconds=0.5"), **CONTACT
        )
        while len(server.requests) < 3:
            time.sleep(0.02)
        second = run("pipelines.scrape", *flags(toml, tmp_path / "d"), **CONTACT)
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
    assert second.returncode == 2
    assert "another run is asking 127.0.0.1" in second.stderr


def test_robots_that_cannot_be_had_end_the_run_for_now(tmp_path: Path) -> None:
    with serve(lambda _: Reply(503)) as server:
        toml = describe(tmp_path / "site.toml", server)
        done = run("pipelines.scrape", *flags(toml, tmp_path, "scrape.max_tries=1"), **CONTACT)
        assert done.returncode == 75
        assert "robots.txt cannot be had" in done.stdout
        assert "resume after" in done.stdout
        assert {r.path for r in server.requests} == {"/robots.txt"}


def test_daily_limits_end_the_run_for_now(tmp_path: Path) -> None:
    site = FakeSite()
    site.add_composers(3, 3)
    with serve(site) as server:
        toml = describe(tmp_path / "site.toml", server, daily_scores=4)
        done = run("pipelines.scrape", *flags(toml, tmp_path), **CONTACT)
        assert done.returncode == 75, done.stderr
        assert "limit of 4 scores in 24 hours" in done.stdout
        assert len([r for r in server.requests if r.path.endswith(".mid")]) == 4
        assert len(table_of(tmp_path)) == 4
        again = run("pipelines.scrape", *flags(toml, tmp_path), **CONTACT)
        assert again.returncode == 75
        assert len([r for r in server.requests if r.path.endswith(".mid")]) == 4


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["--site", "lakh"], {"GENREMILL_CONTACT": ""}, "GENREMILL_CONTACT"),
        (["--site", "musescore"], CONTACT, "--i-have-permission"),
        (["--site", "classical_archives"], CONTACT, "classical_archives_free"),
        (["--site", "local_folder"], CONTACT, "FOLDER="),
        (["--site", "lahk"], CONTACT, "did you mean lakh"),
        (["--site", "html_index"], CONTACT, "INDEX=site.toml"),
        (["--site", "missing.toml"], CONTACT, "missing.toml"),
        (["--site", "lakh", "--set", "scrape.only=lmd_fool"], CONTACT, "lmd_full.tar.gz"),
        (["--site", "lakh", "--set", "data=gs://b/d"], CONTACT, "local disk"),
        ([], CONTACT, "SITE="),
    ],
)
def test_refusals_say_what_to_do(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], said: str
) -> None:
    done = run("pipelines.scrape", "--set", f"data={tmp_path}", *arguments, **environment)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dry_run_shows_and_asks_nothing(tmp_path: Path) -> None:
    with serve(FakeSite()) as server:
        toml = describe(tmp_path / "site.toml", server, daily_scores=7, homepage=server.url)
        done = run("pipelines.scrape", *flags(toml, tmp_path), "--dry-run", **CONTACT)
        assert server.requests == []
    assert done.returncode == 0, done.stderr
    for said in ("CC BY 4.0", f"{server.url}/", "7 scores", "tests@example.org", "polite"):
        assert said in done.stdout
    lakh = run("pipelines.scrape", "--site", "lakh", "--dry-run", "--set", f"data={tmp_path}",
               **CONTACT)  # fmt: skip
    assert "1,800 MB" in lakh.stdout
    assert "lmd_full.tar.gz" in lakh.stdout


def test_a_site_without_scores_fails_and_says_why(tmp_path: Path) -> None:
    site = FakeSite()
    site.pages["/"] = page("<h1>Nothing here</h1>")
    with serve(site) as server:
        toml = describe(tmp_path / "site.toml", server)
        done = run("pipelines.scrape", *flags(toml, tmp_path), **CONTACT)
    assert done.returncode == 2
    assert "found no score on 1 pages" in done.stderr


def test_a_permission_is_recorded(tmp_path: Path) -> None:
    site = FakeSite()
    site.add_composers(2, 2)
    with serve(site) as server:
        toml = describe(tmp_path / "site.toml", server, automation="blocked")
        arguments = flags(toml, tmp_path)
        refused = run("pipelines.scrape", *arguments, **CONTACT)
        assert refused.returncode == 2
        assert server.requests == []
        done = run("pipelines.scrape", *arguments, "--i-have-permission", **CONTACT)
        assert done.returncode == 0, done.stderr
    report = (tmp_path / "raw/site/_report.json").read_text()
    assert "stated by tests@example.org" in report


@pytest.mark.slow
def test_from_a_site_to_sampled_melodies(tmp_path: Path) -> None:
    """`make all SITE=html_index`, with a genre table for the artists of the site."""
    site = FakeSite()
    rows = []
    for i in range(120):
        path = f"/m/{i}.mid"
        site.add_score(path, makers.melody(i))
        rows.append(f"<tr><th>Band {i % 20}</th><td>Song {i}</td><td>{link(path)}</td></tr>")
    site.pages["/"] = page(f"<table>{''.join(rows)}</table>")
    table = makers.write_table(
        tmp_path / "genres.jsonl", {f"Band {i}": ["rock"] for i in range(20)}
    )
    with serve(site) as server:
        toml = describe(tmp_path / "site.toml", server, artist="th")
        done = subprocess.run(
            [
                "make", "--no-print-directory", "all", "SITE=html_index", f"INDEX={toml}",
                f"DATA={tmp_path / 'data'}", f"GENRE_TABLE={table}", "GENRES=rock",
                "SET=--set scrape.private_hosts=127.0.0.1 --set scrape.delay_seconds=0"
                " --set train.num_steps=4 --set train.rnn_layer_sizes=8,8 --set train.batch_size=8"
                " --set sample.num_outputs=2",
            ],
            cwd=ROOT, env=os.environ | CONTACT, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((tmp_path / "data/samples").rglob("*.mid"))) == 2
    tracks = pd.read_parquet(tmp_path / "data/notesequences/tracks.parquet")
    assert len(tracks) == 120
    assert set(tracks["license"]) == {"CC BY 4.0"}
