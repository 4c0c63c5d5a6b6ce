"""The documents name what the code knows."""

from __future__ import annotations

from pathlib import Path

from corpus.readers import abc, midi, musescore
from corpus.readers.musicxml.mends import WORDS

ROOT = Path(__file__).parents[1]


def test_every_warning_of_a_reader_is_told() -> None:
    text = (ROOT / "docs" / "reading.md").read_text("utf-8")
    told: dict[str, str] = dict(midi.WARNINGS.values())
    told |= midi.NOTES | abc.WARNINGS | {str(mend): words for mend, words in WORDS.items()}
    rows = [*told.items(), *musescore.WARNINGS.items()]  # These have slugs of MusicXML's.
    missing = [slug for slug, words in rows if f"| `{slug}` | {words} |" not in text]
    assert not missing
