"""Small scores and corpora, made in memory."""

from __future__ import annotations

import dataclasses
import io
import json
import random
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pretty_midi

from corpus.config import Config, IngestConfig
from corpus.stages import ShardResult, Stage

GOLDEN = Path(__file__).parent / "data" / "golden"
SHARED = Path(__file__).parents[2] / "shared" / "data"
SCALE = (60, 62, 64, 65, 67, 69, 71, 72)


def midi(pitches: Sequence[int] = SCALE * 8, *, qpm: float = 120.0, step: float = 0.5) -> bytes:
    """A MIDI file with one instrument that plays the pitches one after the other."""
    song = pretty_midi.PrettyMIDI(initial_tempo=qpm)
    song.time_signature_changes.append(pretty_midi.TimeSignature(4, 4, 0.0))
    piano = pretty_midi.Instrument(0)
    for index, pitch in enumerate(pitches):
        piano.notes.append(pretty_midi.Note(90, pitch, index * step, (index + 1) * step))
    song.instruments.append(piano)
    buffer = io.BytesIO()
    song.write(buffer)
    return buffer.getvalue()


def tiny_midi(pitches: Sequence[int]) -> bytes:
    """A MIDI file of quarter notes without a library: thousands are made in no time."""
    notes = b"".join(bytes([0, 0x90, p, 80, 96, 0x80, p, 0]) for p in pitches)
    track = notes + b"\x00\xff\x2f\x00"
    header = b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk"
    return header + len(track).to_bytes(4, "big") + track


def melody(index: int) -> bytes:
    """A melody of eight bars that is like no other's."""
    random_ = random.Random(index)
    return midi([random_.choice(SCALE) for _ in range(64)])


def musicxml(*, parts: int = 1, doctype: str = "", notes: int = 4) -> bytes:
    """A part-wise score without MIDI channels; each part plays a scale."""
    listed = "".join(
        f'<score-part id="P{p}"><part-name>Part {p}</part-name></score-part>' for p in range(parts)
    )
    bodies = []
    for part in range(parts):
        body = "".join(
            f"<note><pitch><step>{'CDEFGAB'[i % 7]}</step><octave>{3 + part}</octave></pitch>"
            "<duration>1</duration><type>quarter</type></note>"
            for i in range(notes)
        )
        bodies.append(
            f'<part id="P{part}"><measure number="1"><attributes><divisions>1</divisions><key>'
            "<fifths>0</fifths></key><time><beats>4</beats><beat-type>4</beat-type></time>"
            f"</attributes>{body}</measure></part>"
        )
    head = f'<?xml version="1.0" encoding="UTF-8"?>{doctype}'
    text = (
        f'{head}<score-partwise version="3.0"><work><work-title>A Title</work-title></work>'
        '<identification><creator type="composer">A Composer</creator></identification>'
        f"<part-list>{listed}</part-list>{''.join(bodies)}</score-partwise>"
    )
    return text.encode()


def mxl(members: dict[str, bytes]) -> bytes:
    """A compressed MusicXML archive with these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def write_source(root: Path, artists: dict[str, int]) -> Path:
    """A folder of `Artist/Song N.mid`, with as many songs as asked for each artist."""
    number = 0
    for artist, songs in artists.items():
        (root / artist).mkdir(parents=True)
        for song in range(songs):
            (root / artist / f"Song {song}.mid").write_bytes(melody(number))
            number += 1
    return root


def write_table(path: Path, genres: dict[str, list[str]]) -> Path:
    """A genre table as JSON lines."""
    rows = [json.dumps({"name": name, "genres": found}) for name, found in genres.items()]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def config_for(data: Path, source: Path, table: Path | None = None, **subsets: object) -> Config:
    """A configuration for small corpora."""
    base = Config(data=str(data))
    return dataclasses.replace(
        base,
        ingest=IngestConfig(source=str(source), files_per_shard=5),
        genres=dataclasses.replace(base.genres, table=str(table or "")),
        subsets=dataclasses.replace(base.subsets, **subsets),  # type: ignore[arg-type]
        train=dataclasses.replace(
            base.train, hparams="batch_size=4,rnn_layer_sizes=[8,8],attn_length=6", num_steps=6,
            eval_every=3, checkpoint_every=2,
        ),
        sample=dataclasses.replace(base.sample, num_outputs=3, num_steps=40),
    )  # fmt: skip


def run_in_loop(stage: Stage) -> list[ShardResult]:  # type: ignore[type-arg]
    """Runs a stage without Beam; returns the results of its pieces."""
    stage.clear()
    stage.setup()
    try:
        results = [stage.do(piece) for piece in stage.pieces()]
    finally:
        stage.teardown()
    stage.finish(results)
    return results
