"""Texts as examples: the encoding, the command, and what is left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import command, example_proto, files, shards
from corpus.config import Config, ExamplesConfig
from corpus.encodings import ENCODINGS, EncodedExample, open_encoding
from corpus.encodings.characters import TextEncoding
from corpus.layout import Layout
from corpus.records import SPLITS, TEST, TRAIN, VALIDATION
from corpus.stages.examples import ExamplesStage
from tests.encoding_pieces import StepNote, piece_of
from trainers import text
from trainers.data import example_genres, index_examples

WORDS = "".join(f"line {n}: the quick brown fox, käse, 音楽\n" for n in range(400))


@given(st.text(st.characters(codec="utf-8"), max_size=300), st.integers(8, 40))
@settings(max_examples=200, deadline=None)
def test_parts_are_whole_characters_and_nothing_is_lost(words: str, max_steps: int) -> None:
    encoding = TextEncoding(max_steps=max_steps)
    parts = list(encoding.encode_text(words))
    assert all(2 <= len(part.events) <= max_steps for part in parts)
    whole = "".join(encoding.text(part) for part in parts)
    assert whole == words or (whole == "" and len(words.encode()) == 1)


def test_parts_end_behind_lines_or_words() -> None:
    encoding = TextEncoding(max_steps=20)
    parts = [encoding.text(e) for e in encoding.encode_text("one two three four\nfive six seven")]
    assert parts == ["one two three four\n", "five six seven"]
    parts = [encoding.text(e) for e in encoding.encode_text("one two three four five six seven")]
    assert parts == ["one two three four ", "five six seven"]


def test_the_encoding_of_texts() -> None:
    encoding = open_encoding(ExamplesConfig(encoding="text", settings=("max_steps=64",)))
    assert isinstance(encoding, TextEncoding)
    (example,) = encoding.encode_text("hä\n", "a.txt")
    assert example.events.tolist() == [104, 0xC3, 0xA4, 10]
    assert encoding.tokens(example) == ["h", "c3", "a4", "\n"]
    assert encoding.inputs(example).argmax(1).tolist() == example.events.tolist()
    assert encoding.labels(example).tolist() == example.events.tolist()
    assert encoding.prompt("hä\n").tolist() == example.events.tolist()
    assert encoding.text(EncodedExample(example.events[:2])) == "h\ufffd"
    assert not encoding.decode(example).notes
    assert "text" not in ENCODINGS
    assert encoding.encode(piece_of([StepNote(0, 4, 60)])).dropped == {"no_text": 1}
    with pytest.raises(ValueError, match="empty"):
        encoding.prompt("")
    with pytest.raises(ValueError, match="at least 8"):
        TextEncoding(max_steps=4)


def run(tmp_path: Path, *arguments: str) -> int:
    return command.run(text.main, [*arguments, "--data", str(tmp_path / "d")])


def configured(tmp_path: Path) -> Config:
    return Config(data=str(tmp_path / "d"), examples=ExamplesConfig(encoding="text"))


def texts_of(config: Config, name: str, split: str) -> list[str]:
    encoding = TextEncoding()
    folder = files.join(Layout(config.data).examples("text"), name)
    found = []
    for path in shards.list_shards(folder, split):
        for record in shards.read_shard(path):
            example = example_proto.parse(record)
            assert (example.genre, example.split, example.encoding) == (name, split, "text")
            found.append(encoding.text(EncodedExample(example.events)))
    return found


def test_one_text_is_cut_into_splits_without_overlap(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shake.txt").write_text(WORDS, "utf-8")
    assert run(tmp_path, str(tmp_path / "shake.txt")) == 0
    printed = capsys.readouterr().out
    assert "shake: 1 of 1 texts" in printed
    assert "contiguous" in printed
    config = configured(tmp_path)
    parts = {split: texts_of(config, "shake", split) for split in SPLITS}
    assert "".join(parts[TRAIN] + parts[VALIDATION] + parts[TEST]) == WORDS
    counts = {split: len(found) for split, found in parts.items()}
    assert example_genres(config) == {"shake": counts}
    assert counts[VALIDATION] == counts[TEST] == -(-sum(counts.values()) // 10)
    assert len(index_examples(config, "shake", TRAIN)) == counts[TRAIN]
    assert run(tmp_path, str(tmp_path / "shake.txt")) == 0
    assert "already done" in capsys.readouterr().out


def test_many_texts_are_split_by_file_and_names_stay_apart(tmp_path: Path) -> None:
    folder = tmp_path / "songs"
    (folder / "more").mkdir(parents=True)
    for number in range(12):
        (folder / "more" / f"{number}.txt").write_text(f"song {number} " * 300, "utf-8")
    (folder / "again.txt").write_text("song 3 " * 300, "utf-8")
    (folder / "latin.txt").write_bytes(b"caf\xe9 " * 40)
    (folder / "nothing.txt").write_text(" \n", "utf-8")
    (folder / "binary").write_bytes(b"a\0b" * 20)
    (tmp_path / "one.txt").write_text(WORDS, "utf-8")
    assert run(tmp_path, str(tmp_path / "one.txt")) == 0
    assert run(tmp_path, str(folder), "--name", "songs") == 0
    config = configured(tmp_path)
    held = {split: texts_of(config, "songs", split) for split in SPLITS}
    of_split = {s: {part.split()[1] for part in parts} for s, parts in held.items()}
    assert sum(map(len, of_split.values())) == len(set().union(*of_split.values())) == 12
    assert len(of_split[VALIDATION]) == len(of_split[TEST]) == 2
    report = json.loads(Path(config.data, "examples", "text", "_report.json").read_text())
    wanted = {"duplicate": 1, "wrong_charset": 1, "empty": 1, "no_text": 1}
    assert report["rejected"] == wanted
    assert (report["inputs"], report["outputs"]) == (17, 13)
    assert set(example_genres(config)) == {"one", "songs"}
    before = texts_of(config, "one", TRAIN)
    (tmp_path / "one.txt").write_text("something else\n" * 100, "utf-8")
    assert run(tmp_path, str(tmp_path / "one.txt")) == 0
    assert texts_of(config, "one", TRAIN) != before
    assert {split: texts_of(config, "songs", split) for split in SPLITS} == held


def test_the_same_texts_give_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(WORDS, "utf-8")
    for folder in ("x", "y"):
        assert (
            command.run(text.main, [str(tmp_path / "a.txt"), "--data", str(tmp_path / folder)]) == 0
        )
    made = [
        {p.name: p.read_bytes() for p in (tmp_path / f / "examples/text/a").iterdir()}
        for f in ("x", "y")
    ]
    assert made[0] == made[1]


def test_texts_of_other_charsets(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_bytes("café\r\n".encode("latin-1") * 50)
    (tmp_path / "w.txt").write_bytes("wide café\n".encode("utf-16") * 1)
    assert run(tmp_path, str(tmp_path / "l.txt"), "--charset", "latin-1") == 0
    assert run(tmp_path, str(tmp_path / "w.txt")) == 0
    config = configured(tmp_path)
    assert "".join(t for s in SPLITS for t in texts_of(config, "l", s)) == "café\n" * 50
    assert texts_of(config, "w", TRAIN) == ["wide café\n"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["no such file"], "neither a file nor a folder"),
        (["latin.txt"], "latin-1"),
        (["latin.txt", "--charset", "klingon"], "klingon"),
        (["latin.txt", "--charset", "latin-1", "--name", "all"], "all"),
        (["empty"], "no file"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: list[str],
    part: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("latin.txt").write_bytes(b"caf\xe9 " * 40)
    Path("empty").mkdir()
    assert run(tmp_path, *arguments) == 2
    assert part in capsys.readouterr().err


def test_without_texts_the_next_step_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"trainers\.text"):
        example_genres(configured(tmp_path))
    with pytest.raises(ValueError, match=r"trainers\.text"):
        ExamplesStage(configured(tmp_path))
