from __future__ import annotations

import base64
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from note_seq.protobuf import music_pb2
from playwright.sync_api import Browser, expect

from corpus import tables
from corpus.layout import Layout
from corpus.records import Track
from corpus.stages.ingest import IngestStage
from tests import browser, makers
from viz import music, page

chromium = browser.chromium

# A full chord of every family of instruments, loud, and all drums at once.
_LOUD = [(at % 4, at % 4 + 2, 40 + at % 50, 127, at % 128, False) for at in range(256)]
_KIT = [(0.25 * at, 0.25 * at + 0.1, 35 + at % 47, 127, 0, True) for at in range(60)]
_UNISON = [(0.0, 1.0, 60, 127, 0, False)] * 60
_FEW = [(0.0, 1.0, 60, 80, 0, False), (1.0, 1.5, 64, 80, 24, False), (0.5, 0.6, 36, 100, 0, True)]
_LONG = [(0.5 * at, 0.5 * at + 0.4, 60 + at % 12, 80, 0, False) for at in range(40)]

_LEVELS = """async (packed) => {
  const music = await genremill.decode(packed);
  const buffer = await genremill.render(music);
  let peak = 0, sum = 0, count = 0;
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    for (const value of buffer.getChannelData(channel)) {
      peak = Math.max(peak, Math.abs(value)); sum += value * value; count += 1;
    }
  }
  return {peak, level: Math.sqrt(sum / count), seconds: buffer.duration};
}"""


def sequence(notes: list[tuple[float, float, int, int, int, bool]]) -> bytes:
    """A serialized NoteSequence of (start, end, pitch, velocity, program, is_drum)."""
    made = music_pb2.NoteSequence()
    for start, end, pitch, velocity, program, is_drum in notes:
        made.notes.add(
            start_time=start, end_time=end, pitch=pitch, velocity=velocity, program=program,
            is_drum=is_drum,
        )  # fmt: skip
        made.total_time = max(made.total_time, end)
    written: bytes = made.SerializeToString(deterministic=True)
    return written


@pytest.fixture(scope="module")
def shown(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A page with two buttons, the first with a roll."""
    path = tmp_path_factory.mktemp("player") / "player.html"
    script = """
      const pieces = genremill.data('pieces');
      const canvas = document.querySelector('canvas');
      document.querySelector('p').append(
        genremill.playButton(pieces[0], {label: 'one', canvas}),
        genremill.playButton(async () => genremill.decode(pieces[1]), {label: 'two'}),
        genremill.playButton('', {label: 'nothing'}));
    """
    body = '<h1>Player</h1><canvas class="roll"></canvas><p></p>'
    pieces = [music.pack(sequence(_LONG)), music.pack(sequence(_FEW))]
    path.write_text(
        page.page(
            "Player", body, data={"pieces": pieces}, scripts=[page.static("player.js"), script]
        )
    )
    with browser.opened(chromium, path) as opened:
        yield opened
        assert not opened.problems


def test_packing_keeps_what_begins_in_the_excerpt() -> None:
    notes = [*_FEW, (2.0, 9.0, 70, 1, 127, False), (3.0, 4.0, 60, 0, 0, False)]
    packed = music.pack(sequence(notes), begin=0.5, seconds=2.0)
    raw = zlib.decompress(base64.b64decode(packed))
    assert raw[0] == 3  # notes: of velocity 0 and before the excerpt are none
    assert raw[1:3] == bytes([200 & 127 | 128, 200 >> 7])  # what goes on is cut at its end
    assert list(raw[-3:]) == [24, 127, 128]  # programs; the drum last
    assert music.pack(sequence(notes), begin=50) == ""
    assert music.pack(sequence([])) == ""
    assert packed == music.pack(sequence(list(reversed(notes))), begin=0.5, seconds=2.0)


def test_a_tracks_music_begins_with_its_first_note(tmp_path: Path) -> None:
    source = makers.write_source(tmp_path / "scores", {"Band": 2})
    config = makers.config_for(tmp_path / "data", source)
    makers.run_in_loop(IngestStage(config))
    place = Layout(config.data)
    for track in tables.read_table(place.tracks_table, Track):
        raw = zlib.decompress(base64.b64decode(music.of_track(place, track)))
        assert raw[0] == track.num_notes
        few = zlib.decompress(base64.b64decode(music.of_track(place, track, seconds=4.0)))
        assert few[0] == 8


@pytest.mark.browser
def test_notes_come_out_as_they_went_in(shown: browser.Opened) -> None:
    notes = sorted([*_LOUD, *_KIT])
    decoded = shown.page.evaluate(
        "(packed) => genremill.decode(packed)", music.pack(sequence(notes))
    )
    found = sorted(
        (n["start"], n["end"], n["pitch"], n["velocity"], n["program"], n["drum"])
        for n in decoded["notes"]
    )
    np.testing.assert_allclose(np.array(found, float), np.array(notes, float), atol=1e-9)
    assert decoded["seconds"] == pytest.approx(max(note[1] for note in notes))
    assert shown.page.evaluate("genremill.decode('')") == {"notes": [], "seconds": 0}


@pytest.mark.browser
@pytest.mark.parametrize(
    "notes", [_LOUD, _UNISON, _KIT, _FEW], ids=["loud", "unison", "drums", "few"]
)
def test_sound_is_heard_and_never_clips(shown: browser.Opened, notes: Any) -> None:
    levels = shown.page.evaluate(_LEVELS, music.pack(sequence(notes)))
    assert 0.02 < levels["peak"] < 1
    assert levels["level"] > 0.003
    assert levels["seconds"] > max(note[1] for note in notes)


@pytest.mark.browser
@pytest.mark.parametrize("program", range(0, 128, 8))
def test_every_family_sounds(shown: browser.Opened, program: int) -> None:
    packed = music.pack(sequence([(0.0, 0.5, 60, 100, program, False)]))
    assert shown.page.evaluate(_LEVELS, packed)["peak"] > 0.01


@pytest.mark.browser
def test_one_button_plays_at_a_time(shown: browser.Opened) -> None:
    button = shown.page.get_by_role("button")
    button.filter(has_text="Play").nth(0).click()
    shown.page.get_by_role("button", name="Stop one").wait_for()
    expect(shown.page.locator(".time").first).to_contain_text("0:01 /")
    shown.page.get_by_role("button", name="Play two").press("Enter")
    shown.page.get_by_role("button", name="Stop two").wait_for()
    assert button.filter(has_text="Stop").count() == 1
    shown.page.get_by_role("button", name="Play two").wait_for()  # it ends by itself
    assert shown.page.evaluate("genremill.isPlaying") is False


@pytest.mark.browser
def test_a_roll_is_drawn_and_plays_from_a_click(shown: browser.Opened) -> None:
    canvas = shown.page.locator("canvas")
    assert canvas.get_attribute("aria-label") == "Piano roll: 40 notes, 0:20"
    assert browser.count_colorful(canvas) > 500
    box = canvas.bounding_box()
    assert box
    assert canvas.evaluate("canvas => canvas.width") >= box["width"] - 2
    canvas.click(position={"x": box["width"] * 0.75, "y": 40})
    expect(shown.page.locator(".time").first).to_contain_text("0:16 /")
    shown.page.get_by_role("button", name="Stop one").press("ArrowLeft")
    expect(shown.page.locator(".time").first).to_contain_text("0:12 /")
    shown.page.get_by_role("button", name="Stop one").click()
    assert shown.page.evaluate("genremill.isPlaying") is False
    assert shown.page.locator(".time").first.inner_text() == "0:20"


@pytest.mark.browser
def test_a_piece_without_notes_says_so(shown: browser.Opened) -> None:
    shown.page.get_by_role("button", name="Play nothing").click()
    shown.page.get_by_text("no notes").wait_for()
    assert shown.page.evaluate("genremill.isPlaying") is False
