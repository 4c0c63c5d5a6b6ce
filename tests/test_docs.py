"""The documents name what the code knows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpus import example_proto, readers, repacking, shards
from corpus.config import ExamplesConfig
from corpus.encodings import ENCODINGS, open_encoding
from corpus.encodings.piece import read_piece
from corpus.example_proto import Example
from corpus.readers import abc, midi, musescore
from corpus.readers.musicxml.mends import WORDS
from corpus.sources.sites import cards
from corpus.sources.sites.html_index import HtmlIndex
from tests import makers

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


def examples_document() -> str:
    return (ROOT / "docs" / "examples.md").read_text("utf-8")


@pytest.mark.parametrize("shape", [(7,), (5, 6)])
def test_the_pytorch_reader_of_the_documents_reads(tmp_path: Path, shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    code = re.findall(r"```python\n(import torch.*?)```", examples_document(), re.DOTALL)[0]
    assert len(code.split("\n")) - code.split("\n").count("") <= 10
    named: dict[str, Any] = {}
    exec(code, named)
    events = [np.full(shape, index) for index in range(40)]
    written = [
        example_proto.serialize(Example(rows, "rock", "t", "train", "x", "")) for rows in events
    ]
    part = repacking.write_part(str(tmp_path), "part_train-00000-of-00002.tfrecord", written)
    repacking.repack(str(tmp_path), "rock/train", [part], 2000)
    assert len(shards.list_shards(str(tmp_path / "rock"), "train")) > 2
    dataset = named["Examples"](str(tmp_path / "rock"), "train")
    for num_workers in (0, 2):
        loader = torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=num_workers)
        found = sorted(loader, key=lambda rows: int(rows.flatten()[0]))
        assert all(rows.dtype == torch.int64 for rows in found)
        assert np.array_equal(np.stack(found), np.stack(events))


def test_the_tf_data_reader_of_the_documents_is_short() -> None:
    code = re.findall(r"```python\n(import tensorflow.*?)```", examples_document(), re.DOTALL)[0]
    assert len(code.split("\n")) - code.split("\n").count("") <= 10
    compile(code, "docs/examples.md", "exec")


def test_the_documents_name_every_feature_list() -> None:
    (score,) = readers.read_score(makers.melody(1), "a.mid", "t")
    piece = read_piece(score.payload)
    rows = re.findall(
        r"^\| `(\w+)` \| (int64|float32): (.*?) \| (.*) \|$", examples_document(), re.M
    )
    told = {name: kind for name, kind, _, _ in rows}
    for encoding, name, values in feature_lists(piece):
        assert told[name] == values.dtype.name
        if name == "events" and values.ndim == 2 and encoding.startswith(("perf", "rnn")):
            (columns,) = [c for n, _, c, of in rows if n == name and f"`{encoding}`" in of]
            assert columns.startswith(f"{values.shape[1]} columns")
    assert set(told) == {"events"} | {name for _, name, _ in feature_lists(piece)}


def feature_lists(piece: Any) -> Iterator[tuple[str, str, Any]]:
    """(encoding, feature list, its values) of the piece in every encoding of ours."""
    for encoding in ENCODINGS:
        if encoding.startswith("miditok"):
            continue
        config = ExamplesConfig(encoding=encoding)
        for example in open_encoding(config).encode(piece).examples[:2]:
            yield encoding, "events", example.events
            yield from ((encoding, name, rows) for name, rows in example.controls.items())
