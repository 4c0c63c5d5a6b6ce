"""The scrape stage against a site on the loopback device where everything goes wrong."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from warcio.archiveiterator import ArchiveIterator

from corpus import reports
from corpus.config import Config, ScrapeConfig
from corpus.records import StageReport
from corpus.stages.ingest import IngestStage
from corpus.stages.scrape import ScrapeStage
from tests import fake_sites, makers
from tests.fake_services import FakeService, Reply, serve
from tests.fake_sites import COOKIE, FakeSite, describe, link, page

NUM_COMPOSERS, NUM_PIECES = 400, 2


@pytest.fixture(autouse=True)
def contact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENREMILL_CONTACT", "tests@example.org")


def config_for(data: Path, site: Path | str, **scrape: object) -> Config:
    """Settings for a site on this machine: no pause, little patience."""
    quick = {"delay_seconds": 0.0, "private_hosts": ("127.0.0.1", "localhost"), "max_seconds": 1.0,
             "max_tries": 2, "timeout_seconds": 3.0, **scrape}  # fmt: skip
    return Config(data=str(data), scrape=ScrapeConfig(site=str(site), **quick))  # type: ignore[arg-type]


def scrape(config: Config) -> StageReport:
    """Runs the stage as its command line does, without Beam."""
    stage = ScrapeStage(config)
    done = stage.done()
    if done is None:
        makers.run_in_loop(stage)
    return done or reports.require(stage.folder, "scrape")


def table_of(config: Config) -> pd.DataFrame:
    return pd.read_parquet(Path(config.data) / "raw" / config.scrape.name / "sources.parquet")


def rejected_of(config: Config) -> dict[str, str]:
    """Path of each rejected address -> its reason."""
    lines = (Path(config.data) / "raw" / config.scrape.name / "rejections.jsonl").read_text()
    rows = [json.loads(line) for line in lines.splitlines()]
    return {"/" + row["path"].split("/", 3)[3]: row["reason"] for row in rows}


def asked(server: FakeService) -> Counter[str]:
    return Counter(request.target for request in server.requests)


@dataclasses.dataclass
class Scraped:
    """One run over the site of trouble."""

    site: FakeSite
    reasons: dict[str, str]
    server: FakeService
    config: Config
    report: StageReport


@pytest.fixture(scope="module")
def trouble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    site = FakeSite()
    site.add_composers(NUM_COMPOSERS, NUM_PIECES)
    reasons = fake_sites.add_trouble(site)
    root = tmp_path_factory.mktemp("trouble")
    with serve(site) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENREMILL_CONTACT", "tests@example.org")
        config = config_for(root / "data", describe(root / "trouble.toml", server))
        yield Scraped(site, reasons, server, config, scrape(config))


def test_every_score_is_found_once(trouble: Scraped) -> None:
    table = table_of(trouble.config)
    wanted = {hashlib.sha256(data).hexdigest() for data in trouble.site.scores.values()}
    assert len(table) == len(wanted) == NUM_COMPOSERS * NUM_PIECES + 6
    assert set(table["sha256"]) == wanted
    moved = table[table["url"].str.endswith("/bad/same.mid")].iloc[0]
    assert [url.rpartition("/")[2] for url in moved["also_at"]] == ["target.mid"]


def test_every_failure_has_its_reason(trouble: Scraped) -> None:
    found = rejected_of(trouble.config)
    trap = {path for path in found if path.startswith("/trap/")}
    assert {path: found[path] for path in found if path not in trap} == trouble.reasons
    assert [found[path] for path in trap] == ["trap"]
    assert trouble.report.adds_up


def test_nothing_is_asked_twice_but_what_failed(trouble: Scraped) -> None:
    again = {path for path, count in asked(trouble.server).items() if count > 1}
    assert again == {"/bad/flaky.mid", "/bad/busy.mid", "/bad/500.mid", "/bad/cut.mid"}


def test_nothing_forbidden_is_asked(trouble: Scraped) -> None:
    paths = set(asked(trouble.server))
    assert "/robots.txt" in paths
    assert not {p for p in paths if p.startswith("/private") and "/open/" not in p}
    assert not {p for p in paths if p.endswith(".hidden.mid")}
    assert not {p for p in paths if "PHPSESSID" in p or p.endswith(".jpg") or "#" in p}


def test_one_request_at_a_time_with_our_name(trouble: Scraped) -> None:
    assert set(trouble.server.most_at_once.values()) == {1}
    names = {request.headers["User-Agent"] for request in trouble.server.requests}
    assert len(names) == 1
    assert names.pop().endswith("(tests@example.org)")


def test_the_table_says_what_pages_tell(trouble: Scraped) -> None:
    table = table_of(trouble.config).set_index("url")
    row = table.loc[f"{trouble.server.url}/midi/7/piece%201.mid"]
    assert (row["artist"], row["title"], row["license"]) == ("Composer 7", "Piece 1", "CC BY 4.0")
    assert row["via"] == f"{trouble.server.url}/c/7.html"
    assert row["media_type"] == "audio/midi"
    assert row["num_bytes"] == len(trouble.site.scores["/midi/7/piece%201.mid"])
    license_ = Path(trouble.config.data) / "raw/trouble/licenses" / f"{row['license_hash']}.txt"
    assert license_.read_text() == "CC BY 4.0"


def test_the_store_is_sound_warc(trouble: Scraped) -> None:
    (path,) = (Path(trouble.config.data) / "raw/trouble").glob("*.warc.gz")
    kinds: Counter[str] = Counter()
    bodies: list[str] = []
    with open(path, "rb") as file:
        for record in ArchiveIterator(file, check_digests="raise"):
            kinds[record.rec_type] += 1
            record.content_stream().read()
            if record.rec_type == "response":
                bodies.append(record.rec_headers.get_header("WARC-Payload-Digest"))
    assert kinds["warcinfo"] == 1
    assert kinds["request"] == kinds["response"] + kinds["revisit"]
    assert len(bodies) == len(set(bodies))
    assert kinds["revisit"] >= 1


def test_ingest_reads_what_was_scraped(trouble: Scraped) -> None:
    source = Path(trouble.config.data) / "raw/trouble"
    config = makers.config_for(Path(trouble.config.data), source)
    makers.run_in_loop(IngestStage(config))
    tracks = pd.read_parquet(Path(config.data) / "notesequences/tracks.parquet")
    assert len(tracks) == len(trouble.site.scores)
    assert set(tracks["md5"]) == {
        hashlib.md5(data).hexdigest() for data in trouble.site.scores.values()
    }
    row = tracks[tracks["title"] == "Piece 1"].iloc[0]
    assert row["artist"].startswith("Composer ")
    assert row["license"] == "CC BY 4.0"


def test_a_rerun_asks_only_for_what_failed_for_a_while(trouble: Scraped) -> None:
    before = len(trouble.server.requests)
    report = scrape(trouble.config)
    again = {request.path for request in trouble.server.requests[before:]}
    assert again == {"/bad/500.mid", "/bad/cut.mid", "/bad/drip.mid"}
    assert report.rejected == trouble.report.rejected
    assert report.details["scores"] == trouble.report.details["scores"]


def small_site() -> FakeSite:
    site = FakeSite()
    site.add_composers(3, 2)
    return site


def test_a_finished_scrape_asks_nothing(tmp_path: Path) -> None:
    with serve(small_site()) as server:
        config = config_for(tmp_path, describe(tmp_path / "s.toml", server))
        scrape(config)
        before = len(server.requests)
        scrape(config)
        assert len(server.requests) == before


@pytest.mark.parametrize(("robots", "delay"), [("", 0.25), ("User-agent: *\nCrawl-delay: 0.3", 0)])
def test_the_pause_is_kept_from_run_to_run(tmp_path: Path, robots: str, delay: float) -> None:
    site = small_site()
    site.robots = robots
    with serve(site) as server:
        toml = describe(tmp_path / "s.toml", server)
        for most in (2, 0):
            scrape(config_for(tmp_path, toml, delay_seconds=delay, max_scores=most))
        times = [request.at for request in server.requests]
    gaps = [b - a for a, b in itertools.pairwise(times)][1:]
    assert len(gaps) >= 9
    assert min(gaps) >= (delay or 0.3)


def test_other_peoples_hosts_have_a_second_at_least(tmp_path: Path) -> None:
    toml = tmp_path / "s.toml"
    toml.write_text('start = ["https://example.org/"]\n')
    assert ScrapeStage(config_for(tmp_path, toml)).options().delay == 1.0
    assert ScrapeStage(config_for(tmp_path, toml, delay_seconds=3.0)).options().delay == 3.0


def test_a_private_host_may_be_named_with_its_port(tmp_path: Path) -> None:
    with serve(small_site()) as server:
        toml = describe(tmp_path / "s.toml", server)
        named = (f"127.0.0.1:{server.port}",)
        assert scrape(config_for(tmp_path, toml, private_hosts=named)).details["scores"] == 6


def test_a_host_has_to_be_named_to_be_private(tmp_path: Path) -> None:
    with serve(small_site()) as server:
        toml = describe(tmp_path / "s.toml", server)
        config = config_for(tmp_path, toml, private_hosts=())
        scrape(config)
        assert server.requests == []
    assert rejected_of(config) == {"/": "private_address"}


def test_hosts_are_asked_side_by_side_and_each_alone(tmp_path: Path) -> None:
    """One server under two names; the pages of one lead to the scores of the other and back."""
    site = FakeSite()
    with serve(site) as server:
        other = f"http://localhost:{server.port}"
        for i in range(10):
            site.add_score(f"/m/{i}.mid", fake_sites.score(i))
            site.pages[f"/p/{i}"] = page(
                link(f"{other}/m/{i}.mid") + link(f"{other if i % 2 else server.url}/p/{i + 1}")
            )
        site.pages["/"] = page(link("/p/0"))
        toml = describe(
            tmp_path / "s.toml", server, hosts=["127.0.0.1", f"localhost:{server.port}"],
            within=[f"{server.url}/", f"{other}/"],
        )  # fmt: skip
        config = config_for(tmp_path, toml)
        scrape(config)
        assert len(table_of(config)) == 10
        assert set(server.most_at_once.values()) == {1}
        assert len(server.most_at_once) == 2


def test_a_session_is_used_and_kept_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    site = small_site()
    site.pages["/members/list.html"] = fake_sites.members
    site.pages["/"] = page(link("/members/list.html"))
    site.add_score("/members/one.mid", fake_sites.score(1))
    kept = {**fake_sites.MIDI, "Set-Cookie": COOKIE}
    site.pages["/members/one.mid"] = Reply(body=fake_sites.score(1), headers=kept)
    with serve(site) as server:
        toml = describe(tmp_path / "s.toml", server, session_cookie="SITE_COOKIE")
        config = config_for(tmp_path / "data", toml)
        scrape(config)
        assert rejected_of(config) == {"/members/list.html": "needs_session"}
        monkeypatch.setenv("SITE_COOKIE", COOKIE)
        scrape(config)
        assert len(table_of(config)) == 1
    secret = COOKIE.partition("=")[2].encode()
    stored = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert len(stored) > 5
    for path in stored:
        assert secret not in path.read_bytes(), path
        if path.name.endswith(".gz"):
            with open(path, "rb") as file:
                for record in ArchiveIterator(file):
                    assert secret not in str(record.http_headers).encode()
    assert secret.decode() not in caplog.text
