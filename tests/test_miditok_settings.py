"""Settings, vocabulary files and trained tokenizers of MidiTok."""

from __future__ import annotations

import hashlib
import importlib
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpus.encodings.miditok_tokens import TOKENIZERS
from tests.miditok_songs import (
    band,
    encoding_of,
    ids_of,
    miditoks_ids,
    piece_of,
    song_of,
    track_of,
    tune,
)

miditok = pytest.importorskip("miditok")
symusic = pytest.importorskip("symusic")


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_the_vocabulary_file_opens_the_same_tokenizer(kind: str, tmp_path: Path) -> None:
    programs = {"programs": [8, 0, 40, 33, -1]}
    for settings in ({}, programs, {"beat_res": {"0_4": 4, "4_12": 2}}):
        if kind == "BEAT" and "beat_res" in settings:
            continue
        encoding = encoding_of(kind, max_steps=0, **settings)
        name, contents = encoding.vocabulary_file()
        assert encoding_of(kind, **settings).vocabulary_file() == (name, contents)
        path = tmp_path / name
        path.write_bytes(contents)
        opened = getattr(miditok, kind)(params=path)
        assert opened.vocab == encoding.tokenizer.vocab
        again = encoding_of(kind, max_steps=0, params=str(path))
        assert again.vocabulary_file() == (name, contents)
        assert again.version == encoding.version
        assert ids_of(again, piece_of(band())) == ids_of(encoding, piece_of(band()))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A REMI that learned byte pairs."""
    folder = tmp_path_factory.mktemp("trained")
    paths = []
    for index in range(4):
        paths.append(folder / f"{index}.mid")
        song = song_of(track_of(tune(16, seed=index), 40), track_of(tune(16, seed=9), 33))
        paths[-1].write_bytes(song.dumps_midi())
    tokenizer = encoding_of("REMI").tokenizer
    tokenizer.train(vocab_size=len(tokenizer) + 300, model="BPE", files_paths=paths)
    tokenizer.save(folder / "tokenizer.json")
    return folder / "tokenizer.json"


def test_a_trained_tokenizer_is_read(trained: Path) -> None:
    encoding, song = encoding_of("REMI", params=str(trained), max_steps=0), band()
    plain = encoding_of("REMI", max_steps=0)
    assert encoding.num_events == plain.num_events + 300  # type: ignore[operator]
    (example,) = encoding.encode(piece_of(song)).examples
    (longer,) = plain.encode(piece_of(song)).examples
    assert [example.events.tolist()] == miditoks_ids(encoding, song)
    assert len(example.events) < len(longer.events)
    words = encoding.tokens(example)
    assert "+".join(word for word in words if word != "_").split("+") == plain.tokens(longer)
    assert any("+" in word for word in words)
    assert encoding.decode(example) == plain.decode(longer)
    parts = encoding_of("REMI", params=str(trained), max_steps=120).encode(piece_of(song)).examples
    assert np.array_equal(np.concatenate([part.events for part in parts]), example.events)
    lines = [encoding.tokens(part) for part in parts]
    assert any(line[0] == "_" for line in lines)
    assert all("".join(line[:2]).lstrip("_").startswith("Bar_None") for line in lines)
    assert not any(line[-1] == "_" for line in lines)


def test_the_file_is_part_of_the_version(trained: Path, tmp_path: Path) -> None:
    encoding = encoding_of("REMI", params=str(trained))
    assert encoding.vocabulary_file() == ("tokenizer.json", trained.read_bytes())
    assert hashlib.sha256(trained.read_bytes()).hexdigest() in encoding.version
    assert encoding.version != encoding_of("REMI").version
    assert encoding_of("REMI").version != encoding_of("REMI", use_rests=True).version
    with pytest.raises(ValueError, match="of REMI, not of TSD"):
        encoding_of("TSD", params=str(trained))
    with pytest.raises(ValueError, match="leave use_rests out"):
        encoding_of("REMI", params=str(trained), use_rests=True)
    with pytest.raises(ValueError, match="no tokenizer can be read"):
        encoding_of("REMI", params=str(tmp_path / "none.json"))
    for contents in (b"\xff", b"[]", b"{}"):
        (tmp_path / "bad.json").write_bytes(contents)
        with pytest.raises(ValueError, match="no tokenizer that MidiTok saved"):
            encoding_of("REMI", params=str(tmp_path / "bad.json"))


def test_settings_that_are_none_are_named() -> None:
    with pytest.raises(ValueError, match="no tokenizer 'BPE'"):
        encoding_of("BPE")
    with pytest.raises(ValueError, match=r"no setting use_tempo; it has .*use_tempos"):
        encoding_of("REMI", use_tempo=True)
    with pytest.raises(ValueError, match="Octuple cannot have use_rests=True; there it is False"):
        encoding_of("Octuple", use_rests=True)
    with pytest.raises(ValueError, match="BEAT cannot have beat_res"):
        encoding_of("BEAT", beat_res={"0_4": 8})
    with pytest.raises(ValueError, match="refuses"):
        encoding_of("REMI", num_velocities=500)
    with pytest.raises(ValueError, match="refuses"):
        encoding_of("MMM", base_tokenizer="x")
    with pytest.raises(ValueError, match="keep no key signatures"):
        encoding_of("REMI", use_key_signatures=True)
    with pytest.raises(ValueError, match="keep no pitch bends"):
        encoding_of("REMI", use_pitch_bends=True)
    with pytest.raises(ValueError, match="parts of 1"):
        encoding_of("REMI", max_steps=1)
    given = encoding_of("REMI", beat_res={"0_4": 4}, time_signature_range={"4": [3]})
    config = given.tokenizer.config
    assert (config.beat_res, config.time_signature_range) == ({(0, 4): 4}, {4: [3]})


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def without(name: str, package: str | None = None) -> Any:
        if name == "miditok":
            raise ModuleNotFoundError("No module named 'miditok'")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(ValueError, match=r'pip install "genremill\[miditok\]"'):
        encoding_of("REMI")


def test_no_network_is_asked(monkeypatch: pytest.MonkeyPatch, trained: Path) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for kind in TOKENIZERS:
        assert encoding_of(kind).encode(piece_of(band())).examples
    assert encoding_of("REMI", params=str(trained)).encode(piece_of(band())).examples
