"""How long the crossover takes for many artists, and how quick its page is.

    python -m benchmarks.crossover [--artists 20000] [--seed 0] [--keep FOLDER]

Makes up artists who each play a few genres of our vocabulary, mostly of one family, with three
tracks each, then runs the whole stage and opens its page in Chromium, where there is one. Limits
in brackets are what we hold ourselves to.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from note_seq.protobuf import music_pb2
from playwright.sync_api import Page, sync_playwright

from benchmarks.memory import peak_mb
from benchmarks.synthetic import make_score
from corpus import config, genres, reports, shards, tables, vocabulary
from corpus.layout import CROSSOVER_PAGE, Layout
from corpus.records import ArtistGenres, StageReport, Track
from tests import browser
from viz import crossover

NUM_ARTISTS, TRACKS_PER_ARTIST, NUM_SCORES = 20_000, 3, 300
_SHARD = "notesequences-00000-of-00001.tfrecord"
_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
_TIP = """() => new Promise((done) => {
  const began = performance.now();
  const tip = document.getElementById('tip');
  tip.hidden = true;
  const seen = new MutationObserver(() => { if (!tip.hidden) finish(performance.now() - began); });
  const finish = (took) => { seen.disconnect(); clearTimeout(late); done(took); };
  const late = setTimeout(() => finish(-1), 1000);
  seen.observe(tip, { attributes: true });
  const [x, y] = POINT;
  const place = document.elementFromPoint(x, y);
  const about = { bubbles: true, clientX: x, clientY: y, view: window };
  place.dispatchEvent(new PointerEvent('pointermove', about));
  for (const type of ['mouseover', 'mousemove']) place.dispatchEvent(new MouseEvent(type, about));
})"""


def made_up(num_artists: int, seed: int) -> Iterator[ArtistGenres]:
    """Rows of artists who play one to some ten genres, six of seven of them of one family."""
    rng = np.random.default_rng(seed)
    by_family: dict[str, list[str]] = {}
    for genre, family in sorted(vocabulary.vocabulary().families.items()):
        by_family.setdefault(family, []).append(genre)
    lists = list(by_family.values())
    share = 1 / np.arange(1, len(lists) + 1) ** 0.8
    share /= share.sum()
    for number in range(num_artists):
        own = rng.choice(len(lists), p=share)
        mine = set()
        for _ in range(1 + rng.poisson(3)):
            there = lists[own if rng.random() < 0.85 else rng.choice(len(lists), p=share)]
            # The first of a list are common, the last rare.
            mine.add(there[min(int(len(there) ** rng.random()), len(there)) - 1])
        name = f"Artist {number:06d}"
        for genre in sorted(mine):
            yield ArtistGenres(name, "table", "", name, 1.0, genre, 1.0, "", genres.FOUND, "")


def make_corpus(folder: str, num_artists: int, seed: int) -> None:
    """What ingest and genres would have left in DATA."""
    place = Layout(folder)
    rows = list(made_up(num_artists, seed))
    tables.write_table(place.artist_genres_table, rows, ArtistGenres)
    offsets = _write_scores(f"{place.notesequences}/{_SHARD}", seed)
    tracks = [
        _track(artist, song, offsets)
        for artist in sorted({row.artist for row in rows})
        for song in range(TRACKS_PER_ARTIST)
    ]
    tables.write_table(place.tracks_table, tracks, Track)
    for where, stage in ((place.notesequences, "ingest"), (place.genres, "genres")):
        reports.write(where, StageReport(stage, "artists", "", "", {}, 1, 1, {}, 0.0))


def _write_scores(path: str, seed: int) -> list[int]:
    """One shard of scores; returns where each begins."""
    rng = np.random.default_rng(seed)
    payloads, offsets, offset = [], [], 0
    for _ in range(NUM_SCORES):
        score = make_score(rng)
        written = music_pb2.NoteSequence(total_time=score.total_time)
        for at in range(len(score.start)):
            note = written.notes.add()
            note.start_time, note.end_time = float(score.start[at]), float(score.end[at])
            note.pitch, note.velocity = int(score.pitch[at]), int(score.velocity[at])
            note.program, note.is_drum = int(score.program[at]), bool(score.is_drum[at])
        payloads.append(written.SerializeToString())
        offsets.append(offset)
        offset += shards.HEADER_BYTES + len(payloads[-1]) + shards.FOOTER_BYTES
    shards.write_shard(path, payloads)
    return offsets


def _track(artist: str, song: int, offsets: list[int]) -> Track:
    number = int(artist.split()[-1]) * TRACKS_PER_ARTIST + song
    path = f"{artist}/Song number {song}.mid"
    return Track(
        track_id=f"{number:040x}",
        source="made up",
        path=path,
        tune="",
        artist=artist,
        artist_raw=artist,
        title=f"Song number {number}",
        song=path,
        media="midi",
        reader="midi",
        md5=f"{number:032x}",
        num_notes=1,
        seconds=60.0,
        qpm=120.0,
        time_signature="4/4",
        has_drums=True,
        has_chords=False,
        programs=[0],
        license="CC0-1.0",
        warnings=[],
        shard=_SHARD,
        offset=offsets[number % NUM_SCORES],
        num_bytes=0,
    )


def measure_page(path: Path) -> dict[str, float]:
    """Milliseconds in Chromium; empty where there is none."""
    found = browser.find_chromium()
    if not found:
        return {}
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=browser.FLAGS)
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        began = time.monotonic()
        page.goto(path.resolve().as_uri(), wait_until="commit")
        page.wait_for_selector("html[data-drawn]", timeout=60_000)
        drawn = (time.monotonic() - began) * 1000
        paint = page.evaluate(_PAINT)
        hovers = _hovers(page)
        began = time.monotonic()
        page.click("[data-size='3']")
        page.wait_for_selector("html[data-drawn=tsne3family]", timeout=60_000)
        solid = (time.monotonic() - began) * 1000
        chromium.close()
    times = {"first paint [2,000]": paint, "2-D points drawn": drawn, "3-D points drawn": solid}
    if hovers:
        times["hover, median"] = float(np.median(hovers))
        times["hover, 95 of 100 [50]"] = float(np.percentile(hovers, 95))
    return times


def _hovers(page: Page) -> list[float]:
    """From a movement of the mouse to the artist's name; movements that meet none left out."""
    box = page.locator("#flat").bounding_box()
    assert box is not None, "the points are not shown"
    rng = np.random.default_rng(0)
    took = []
    for across, down in rng.uniform(0.25, 0.75, (60, 2)).tolist():
        point = [box["x"] + across * box["width"], box["y"] + down * box["height"]]
        took.append(page.evaluate(_TIP.replace("POINT", str(point))))
    return [each for each in took if each >= 0]


def main() -> None:
    """Prints one line a figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--artists", type=int, default=NUM_ARTISTS, help=f"how many (default: {NUM_ARTISTS})"
    )
    parser.add_argument("--seed", type=int, default=0, help="of what is made up (default: 0)")
    parser.add_argument("--keep", default="", help="folder for what is made (default: none)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.keep or temporary
        make_corpus(folder, chosen.artists, chosen.seed)
        began, worked = time.monotonic(), time.process_time()
        report, _ = crossover.make(config.Config(data=folder, force=True))
        print(f"{report.outputs:,} artists on {os.cpu_count()} cores")
        print(f"{'stage, seconds [300]':28} {time.monotonic() - began:10.1f}")
        print(f"{'processor, seconds':28} {time.process_time() - worked:10.1f}")
        print(f"{'peak memory, MB':28} {peak_mb():10.0f}")
        page = Path(Layout(folder).reports) / CROSSOVER_PAGE
        print(f"{'page, MB [15]':28} {page.stat().st_size / 1e6:10.1f}")
        times = measure_page(page)
        for name, value in times.items():
            print(f"{name + ', ms':28} {value:10.0f}")
        if not times:
            print("no Chromium is installed: the page was not opened")


if __name__ == "__main__":
    main()
