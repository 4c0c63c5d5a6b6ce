"""MidiTok's tokens against MidiTok itself: its tokenizer on a MIDI file of the same notes."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import itertools
import pickle
import random
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from note_seq.protobuf import music_pb2

from corpus import readers
from corpus.encodings import EncodedExample, to_midi
from corpus.encodings.miditok_tokens import TOKENIZERS, MiditokEncoding
from corpus.encodings.piece import Piece, read_piece
from corpus.encodings.symusic_score import TICKS_PER_QUARTER, to_score
from tests.test_quantize import real_files

miditok = pytest.importorskip("miditok")
symusic = pytest.importorskip("symusic")

POOLED = ("CPWord", "Octuple", "MuMIDI")
TPQ = 480
QUARTER, SIXTEENTH = TPQ, TPQ // 4

Note = tuple[int, int, int, int]  # tick, ticks, pitch, velocity


def track_of(notes: list[Note], program: int = 0, *, is_drum: bool = False) -> Any:
    track: Any = symusic.Track(name="", program=program, is_drum=is_drum)
    columns = np.array(sorted(notes), np.int32).reshape(-1, 4).T
    track.notes = symusic.Note.from_numpy(
        *np.ascontiguousarray(columns[:2]), *np.ascontiguousarray(columns[2:]).astype(np.int8)
    )
    track.notes.sort()
    return track


def song_of(*tracks: Any, qpm: float = 120.0, meter: tuple[int, int] = (4, 4)) -> Any:
    song: Any = symusic.Score(TPQ)
    song.tempos.append(symusic.Tempo(0, qpm))
    song.time_signatures.append(symusic.TimeSignature(0, *meter))
    song.tracks.extend(tracks)
    return song


def tune(bars: int = 8, *, base: int = 60, seed: int = 1, velocity: int = 80) -> list[Note]:
    """A walk in sixteenths to halves that never overlaps itself."""
    chance, at, notes = random.Random(seed), 0, []
    while at < bars * 4 * QUARTER:
        length = chance.choice([1, 2, 2, 4, 8]) * SIXTEENTH
        notes.append((at, length, base + chance.randrange(12), velocity))
        at += length + chance.choice([0, 0, SIXTEENTH])
    return notes


def band(bars: int = 8) -> Any:
    """Three instruments and drums; the tempo and the meter change on the way."""
    drums = [(beat * QUARTER, SIXTEENTH, 36 + 2 * (beat % 2), 100) for beat in range(4 * bars)]
    chords = [
        (2 * beat * QUARTER, length * QUARTER, pitch, 71)
        for beat in range(2 * bars)
        for pitch, length in ((48, 2), (52, 1), (55, 2))
    ]
    song = song_of(
        track_of(tune(bars, base=72), 40),
        track_of(chords, 0),
        track_of(tune(bars, base=36, seed=2), 33),
        track_of(drums, is_drum=True),
        qpm=97.0,
    )
    song.tempos.append(symusic.Tempo(8 * QUARTER + SIXTEENTH, 140.0))
    song.time_signatures.append(symusic.TimeSignature(16 * QUARTER, 3, 4))
    return song


def piece_of(song: Any) -> Piece:
    """What our reader makes of a song's MIDI file."""
    (score,) = readers.read_score(song.dumps_midi(), "a.mid", "t")
    assert not score.reason
    return read_piece(score.payload)


def encoding_of(kind: str, **settings: Any) -> MiditokEncoding:
    return MiditokEncoding(kind, **settings)


def miditoks_ids(encoding: MiditokEncoding, song: Any) -> list[Any]:
    """MidiTok's ids of a song's MIDI file: rows of MuMIDI of equal length, as ours are.

    Tracks come in the order of ours, which is that of the reader's instruments; notes that begin
    together come as symusic sorts them, and not as a file happens to have them.
    """
    read = symusic.Score.from_midi(song.dumps_midi())
    for track in read.tracks:
        track.notes.sort()
    ours = to_score(piece_of(song), Counter())
    assert {signature(track) for track in ours.tracks} == {
        signature(track, TICKS_PER_QUARTER // TPQ) for track in read.tracks
    }
    tracks = {signature(track, TICKS_PER_QUARTER // TPQ): track for track in read.tracks}
    read.tracks = [tracks[signature(track)] for track in ours.tracks]
    encoded = encoding.tokenizer.encode(read)
    sequences = encoded if isinstance(encoded, list) else [encoded]
    return [encoding._to_array(sequence.ids).tolist() for sequence in sequences]


def signature(track: Any, factor: int = 1) -> tuple[Any, ...]:
    notes = [(n.time * factor, n.duration * factor, n.pitch, n.velocity) for n in track.notes]
    return (track.is_drum or track.program, *sorted(notes))


def ids_of(encoding: MiditokEncoding, piece: Piece) -> list[Any]:
    return [example.events.tolist() for example in encoding.encode(piece).examples]


def test_these_are_miditoks_tokenizers() -> None:
    made = [getattr(miditok, name) for name in miditok.__all__]
    kinds = {kind.__name__ for kind in made if isinstance(kind, type)
             and issubclass(kind, miditok.MusicTokenizer)}  # fmt: skip
    assert kinds - {"MusicTokenizer"} == set(TOKENIZERS)


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_ids_are_miditoks(kind: str) -> None:
    encoding, song = encoding_of(kind, max_steps=0), band()
    assert ids_of(encoding, piece_of(song)) == miditoks_ids(encoding, song)


@pytest.mark.parametrize("kind", ["REMI", "TSD", "MIDILike"])
def test_pedals_and_controls_are_miditoks(kind: str) -> None:
    song = band()
    changes = [(0, 90), (400, 64), (900, 63), (901, 0), (3000, 127), (4000, 20), (6000, 100)]
    times, values = np.array(changes, np.int32).T
    numbers = np.full(len(changes), 64, np.uint8)
    controls = symusic.ControlChange.from_numpy(
        np.ascontiguousarray(times), numbers, values.astype(np.uint8)
    )
    song.tracks[1].controls = controls
    for settings in ({"use_sustain_pedals": True}, {"use_control_changes": True}):
        encoding = encoding_of(kind, max_steps=0, **settings)
        ids = ids_of(encoding, piece_of(song))
        assert ids == miditoks_ids(encoding, song)
        assert ids != ids_of(encoding, piece_of(band()))


def test_tracks_apart_are_an_example_each() -> None:
    encoding, song = encoding_of("TSD", max_steps=0, use_programs=False), band()
    examples = encoding.encode(piece_of(song)).examples
    assert [example.events.tolist() for example in examples] == miditoks_ids(encoding, song)
    assert {example.made_by.split(", ")[1] for example in examples} == {
        "drums", "program 0", "program 33", "program 40",
    }  # fmt: skip
    notes = sum(len(encoding.decode(example).notes) for example in examples)
    assert notes == song.note_num()


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_notes_come_back(kind: str) -> None:
    encoding = encoding_of(kind, max_steps=0)
    song = song_of(
        track_of(tune(), 40), track_of(tune(base=40, seed=2), 33),
        track_of([(beat * QUARTER, SIXTEENTH, 38, 100) for beat in range(32)], is_drum=True),
    )  # fmt: skip
    (example,) = encoding.encode(piece_of(song)).examples
    sequence = encoding.decode(example, 90.0)
    (tempo,) = sequence.tempos
    assert tempo.qpm == pytest.approx(90.0 if kind == "Structured" else 120.0, abs=4.0)

    def in_sixteenths(seconds: float) -> int:
        steps = float(seconds * tempo.qpm / 60.0 * 4)
        assert steps == pytest.approx(round(steps), abs=1e-4)
        return round(steps)

    found = Counter(
        (in_sixteenths(note.start_time), in_sixteenths(note.end_time), note.pitch,
         note.is_drum or note.program)
        for note in sequence.notes
    )  # fmt: skip
    assert found == Counter(
        (note.time // SIXTEENTH, note.end // SIXTEENTH, note.pitch, track.is_drum or track.program)
        for track in song.tracks
        for note in track.notes
    )
    assert {abs(note.velocity - (100 if note.is_drum else 80)) < 3 for note in sequence.notes} == {
        True
    }
    assert sequence.total_time == max(note.end_time for note in sequence.notes)


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_long_pieces_are_cut_where_bars_begin(kind: str) -> None:
    piece = piece_of(band(bars=12))
    (whole,) = encoding_of(kind, max_steps=0).encode(piece).examples
    most = len(whole.events) // 4
    encoding = encoding_of(kind, max_steps=most)
    parts = encoding.encode(piece).examples
    assert len(parts) > 3
    assert max(len(part.events) for part in parts) <= most
    assert np.array_equal(np.concatenate([part.events for part in parts]), whole.events)
    first = len(parts[0].events) - 1
    assert parts[0].made_by == f"tokens 0 to {first} of {len(whole.events)}"
    words = [encoding.tokens(part) for part in parts]
    if kind in ("REMI", "CPWord", "MuMIDI", "MMM", "PerTok", "BEAT"):
        assert all("Bar_None" in part[0].split("/") for part in words[1:])
    if kind == "Octuple":
        bars = [[word.split("/")[2] for word in part] for part in words]
        assert all(one[-1] != next_[0] for one, next_ in itertools.pairwise(bars))


def test_a_bar_that_is_too_long_is_cut_in_the_middle() -> None:
    crowd = [(0, QUARTER, pitch, 80) for pitch in range(20, 100)]
    encoding = encoding_of("TSD", max_steps=50)
    lengths = [len(ids) for ids in ids_of(encoding, piece_of(song_of(track_of(crowd))))]
    assert lengths[:-1] == [50] * (len(lengths) - 1)
    assert sum(lengths) == 2 + 4 * len(crowd)


@pytest.mark.parametrize("kind", ["Octuple", "MuMIDI"])
def test_no_bar_is_lost_where_bars_have_numbers(kind: str) -> None:
    """MidiTok leaves out what lies behind the last number; here another window begins."""
    song = song_of(track_of(tune(40)), track_of([(0, QUARTER, 40, 80), *tune(90)[-20:]], 33))
    encoding = encoding_of(kind, max_steps=0, max_bar_embedding=32)
    examples = encoding.encode(piece_of(song)).examples
    assert [example.made_by.split(", ")[0] for example in examples] == [
        "bars 0 to 31", "bars 32 to 63", "bars 64 to 89",
    ]  # fmt: skip
    with pytest.warns(UserWarning, match="cannot tokenize entirely"):
        expected = miditoks_ids(encoding, song)
    assert [examples[0].events.tolist()] == expected
    notes = [len(encoding.decode(example).notes) for example in examples]
    assert sum(notes) == song.note_num()
    gap = song_of(track_of([(0, QUARTER, 60, 80), (90 * 4 * QUARTER, QUARTER, 62, 80)]))
    encoded = encoding.encode(piece_of(gap))
    assert len(encoded.examples) == 2
    assert encoded.dropped == {"silent": 1}


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_contract(kind: str) -> None:
    encoding = encoding_of(kind, max_steps=200)
    assert encoding.name == f"miditok_{kind.lower()}"
    assert isinstance(encoding.num_events, tuple) == (kind in POOLED)
    example = encoding.encode(piece_of(band())).examples[0]
    ids = example.events.reshape(len(example.events), -1)
    assert ids.dtype == np.int64
    assert (ids >= 0).all()
    assert (ids < np.array(encoding.num_events)).all()
    inputs = encoding.inputs(example)
    assert inputs.shape == (len(ids), encoding.input_size)
    assert inputs.dtype == np.float32
    sizes = encoding.num_events if isinstance(encoding.num_events, tuple) else (inputs.shape[1],)
    columns = np.split(inputs, np.cumsum(sizes)[:-1], axis=1)
    assert np.array_equal(np.stack([column.argmax(1) for column in columns], 1), ids)
    assert (inputs.sum(1) == len(sizes)).all()
    assert np.array_equal(encoding.labels(example), example.events)
    assert to_midi(encoding.decode(example)).startswith(b"MThd")
    again = pickle.loads(pickle.dumps(encoding))  # as a stage is sent to its workers
    assert np.array_equal(again.encode(piece_of(band())).examples[0].events, example.events)


def test_words() -> None:
    song = song_of(track_of([(0, QUARTER, 60, 80)], 40))
    example = encoding_of("TSD").encode(piece_of(song)).examples[0]
    assert encoding_of("TSD").tokens(example) == [
        "TimeSig_4/4", "Tempo_121.29", "Program_40", "Pitch_60", "Velocity_79", "Duration_1.0.8",
    ]  # fmt: skip
    example = encoding_of("CPWord").encode(piece_of(song)).examples[0]
    assert encoding_of("CPWord").tokens(example)[-1] == (
        "Family_Note/Pitch_60/Velocity_79/Duration_1.0.8/Program_40"
    )


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


def dropped_of(piece: Piece, kind: str = "REMI", **settings: Any) -> dict[str, int]:
    encoded = encoding_of(kind, **settings).encode(piece)
    assert not encoded.examples
    assert set(encoded.dropped) <= set(MiditokEncoding.reasons)
    return dict(encoded.dropped)


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_why_nothing_comes_of_a_piece(kind: str) -> None:
    empty = read_piece(music_pb2.NoteSequence().SerializeToString())
    assert dropped_of(empty, kind) == {"no_notes": 1}
    piece = piece_of(song_of(track_of([(0, QUARTER, 60, 80)])))
    assert dropped_of(dataclasses.replace(piece, start=np.array([-1.0])), kind) == {
        "unusable_meter": 1
    }
    assert dropped_of(dataclasses.replace(piece, end=np.array([1e300])), kind) == {"too_long": 1}
    assert dropped_of(dataclasses.replace(piece, tempo_qpms=np.array([0.0])), kind) == {
        "unusable_meter": 1
    }
    assert dropped_of(piece, kind, pitch_range=(70, 90)) == {"out_of_range": 1}
    bad: tuple[dict[str, Any], ...] = ({"pitch": 200}, {"velocity": 0}, {"program": 128})
    for numbers in bad:
        arrays = {field: np.array([value], np.int32) for field, value in numbers.items()}
        damaged: Any = dataclasses.replace(piece, **arrays)  # type: ignore[arg-type]
        assert dropped_of(damaged, kind) == {"no_notes": 1, "unusable_notes": 1}


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_damaged_numbers_do_no_harm(kind: str) -> None:
    piece = piece_of(band())
    damaged = dataclasses.replace(
        piece,
        tempo_times=np.array([0.0, 1.0, 1e200]), tempo_qpms=np.array([1e-9, 1e9, 1.0]),
        meter_times=np.array([-1.0, 0.0, 1.0, 2.0, 1e300]),
        numerators=np.array([0, 4, 300, 3, 4], np.int32),
        denominators=np.array([4, 3, 4, 1 << 30, 4], np.int32),
        control_times=np.array([-1.0, 1e300]), control_numbers=np.array([64, 300], np.int32),
        control_values=np.array([-1, 64], np.int32), control_instruments=np.zeros(2, np.int32),
        end=piece.start - 1.0,
    )  # fmt: skip
    slow = dataclasses.replace(damaged, tempo_qpms=np.array([120.0, 60.0, 120.0]))
    for one in (damaged, slow):
        for example in encoding_of(kind).encode(one).examples:
            assert to_midi(encoding_of(kind).decode(example)).startswith(b"MThd")
    assert encoding_of(kind).encode(slow).examples


def test_a_meter_without_a_token_is_counted() -> None:
    song = song_of(track_of(tune()), meter=(11, 16))
    encoded = encoding_of("REMI").encode(piece_of(song))
    assert encoded.dropped == {"meter_not_in_vocabulary": 1}
    assert "TimeSig_4/4" in encoding_of("REMI").tokens(encoded.examples[0])


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_sampled_tokens_give_notes_or_an_error_of_ours(kind: str) -> None:
    encoding, chance = encoding_of(kind), np.random.default_rng(0)
    sizes, refused = encoding.num_events, 0
    for length in range(0, 120, 8):
        shape = (length, len(sizes)) if isinstance(sizes, tuple) else (length,)
        example = EncodedExample(chance.integers(0, sizes, shape).astype(np.int64))
        assert len(encoding.tokens(example)) == length
        try:
            sequence = encoding.decode(example)
        except ValueError:
            refused += 1
            continue
        assert to_midi(sequence).startswith(b"MThd")
    assert not refused or kind in POOLED
    with pytest.raises(ValueError, match="tempo of 0"):
        encoding_of("Structured").decode(EncodedExample(np.zeros(0, np.int64)), 0.0)


def test_real_files_give_miditoks_ids() -> None:
    """Where both readers end notes alike: ours ends all of a pitch at one note off, as note_seq."""
    encodings = [encoding_of(kind, max_steps=0) for kind in ("REMI", "TSD", "MIDILike", "CPWord")]
    compared = 0
    small = sorted(real_files("clean_midi", 60), key=lambda path: path.stat().st_size)[:10]
    for path in small:
        try:
            song = symusic.Score.from_midi(path.read_bytes())
            (score,) = readers.read_score(path.read_bytes(), "a.mid", "real")
        except (RuntimeError, readers.ReadError):
            continue
        ours = to_score(read_piece(score.payload), Counter())
        factor = TICKS_PER_QUARTER // song.ticks_per_quarter
        tracks: dict[Any, list[Any]] = {}
        for track in song.tracks:
            track.notes.sort()
            if len(track.notes):
                tracks.setdefault(signature(track, factor), []).append(track)
        wanted = Counter(signature(track) for track in ours.tracks)
        if wanted != {key: len(found) for key, found in tracks.items()}:
            continue
        song.tracks = [tracks[signature(track)].pop() for track in ours.tracks]
        for encoding in encodings:
            (ids,) = ids_of(encoding, read_piece(score.payload))
            assert ids == encoding._to_array(encoding.tokenizer.encode(song).ids).tolist()
        compared += 1
    assert compared >= 2
