"""The proof of Velocity Nets: how pieces are dealt, pooled and told."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from corpus.config import Config, TrainConfig
from tests.refine_music import make_corpus
from trainers.proving import velocities as proof
from trainers.refining.measuring import Figures
from trainers.refining.pieces import Piece, find_pieces


def some(count: int) -> list[Piece]:
    return [Piece(f"track {number}", "", 0) for number in range(count)]


def test_each_piece_is_held_out_once_and_an_artist_never_split() -> None:
    pieces = some(60)
    artists = {piece.track_id: f"artist {at // 3}" for at, piece in enumerate(pieces)}
    for keys in ({}, artists):
        parts = proof.deal(pieces, keys)
        assert sorted(p.track_id for part in parts for p in part) == sorted(artists)
    places = [{artists[piece.track_id] for piece in part} for part in parts]
    assert sum(map(len, places)) == 20
    assert len(set.union(*places)) == 20


def test_too_few_pieces_are_said(tmp_path: Path) -> None:
    lines: list[str] = []
    data = make_corpus(str(tmp_path), flat=True).data
    with pytest.raises(ValueError, match="no genre has pieces for 6 parts; some fifty"):
        lines.extend(proof.prove(data, Config()))
    assert "rock, other artists: 0 pieces that somebody played are too few" in lines


def test_parts_are_pooled_by_their_notes() -> None:
    def figures(notes: float, net: float) -> Figures:
        return {
            "notes": notes, "pieces": 2.0, "pieces_reached": 1.0, "constant": 20.0, "net": net,
            "level": 1.0, "net_level": 2.0,
        }  # fmt: skip

    found = proof.pooled([figures(100, 10.0), figures(300, 18.0)])
    assert found["net"] == pytest.approx(16.0)
    assert (found["notes"], found["pieces"], found["pieces_reached"]) == (400, 4, 2)


def test_a_part_is_guessed_the_same_again(tmp_path: Path) -> None:
    config = make_corpus(str(tmp_path / "data"))
    pieces = find_pieces(config, ["rock"], "train")
    parts = [pieces[:2], pieces[2:]]
    first, second = (proof.run(0, parts, 2, 1) for _ in range(2))
    assert first == second
    assert first["pieces"] == len(parts[0])


@pytest.mark.slow
def test_the_proof_prints_its_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "NUM_PARTS", 2)
    data = make_corpus(str(tmp_path / "data")).data
    lines = list(proof.prove(data, dataclasses.replace(Config(), train=TrainConfig(num_steps=2))))
    assert sum(line.startswith("part ") for line in lines) == 4
    assert sum("of the best constant's" in line for line in lines) == 2
