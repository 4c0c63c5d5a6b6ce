"""The documents name what the code knows."""

from __future__ import annotations

import re
from pathlib import Path

from corpus.readers import abc, midi, musescore
from corpus.readers.musicxml.mends import WORDS
from corpus.sources.sites import cards
from corpus.sources.sites.html_index import HtmlIndex

ROOT = Path(__file__).parents[1]


def test_every_warning_of_a_reader_is_told() -> None:
    text = (ROOT / "docs" / "reading.md").read_text("utf-8")
    told: dict[str, str] = dict(midi.WARNINGS.values())
    told |= midi.NOTES | abc.WARNINGS | {str(mend): words for mend, words in WORDS.items()}
    rows = [*told.items(), *musescore.WARNINGS.items()]  # These have slugs of MusicXML's.
    missing = [slug for slug, words in rows if f"| `{slug}` | {words} |" not in text]
    assert not missing


def test_the_described_site_of_the_documents_is_a_valid_one(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "scraping.md").read_text("utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "site.toml").write_text(example, "utf-8")
    card = cards.read_site(str(tmp_path / "site.toml"))
    assert len(card.rules) == 2
    assert HtmlIndex(card).start()


def test_every_shipped_site_is_in_the_documents() -> None:
    for name in ("README.md", "docs/scraping.md"):
        text = (ROOT / name).read_text("utf-8")
        missing = [site for site in cards.shipped() if f"`{site}`" not in text]
        assert not missing
