"""Tokens of MidiTok: REMI, TSD, MIDI-Like and the others, as it makes them itself.

Source: Fradet et al., "MidiTok: a Python package for MIDI file tokenization" (2021), and its
package, 3.1, an extra of ours. A piece becomes a symusic Score and MidiTok's tokenizer does the
rest, so ids are those that it gives for a MIDI file of the same notes.

Settings are MidiTok's own but for these: all 128 pitches of instruments and of drums, programs,
tempos and time signatures are on, and 5/8, 7/8, 9/8 and 7/4 are known. PerTok has no time
signatures, as MidiTok 3.1 makes bars of 6/8 four times too long there. Meters that a vocabulary
lacks are left out, so bars go on as before them. Tokenizers that number bars (Octuple, MuMIDI) know
60 of them: a longer piece is several windows of as many, each numbered from 0. Rows of MuMIDI that
have no velocity and no length are filled up with PAD.

A long piece is cut into parts, where a bar begins if one does. A part goes on where the one before
it ended: a tempo holds until the next, but is not said again.

Nothing is loaded from a network: a tokenizer comes of its settings, or of a file that was given.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import json
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from corpus.encodings import symusic_score, tempo_grid
from corpus.encodings.one_class import one_hot
from corpus.encodings.piece import Piece
from corpus.encodings.results import EncodedExample, EncodedPiece
from corpus.encodings.tempo_grid import Steps, UnusablePieceError

TOKENIZERS = (
    "REMI", "TSD", "MIDILike", "Structured", "CPWord", "Octuple", "MuMIDI", "MMM", "PerTok", "BEAT",
)  # fmt: skip

_DEFAULTS: dict[str, Any] = {
    "pitch_range": (0, 127),
    "drums_pitch_range": (0, 127),
    "use_programs": True,
    "use_tempos": True,
    "use_time_signatures": True,
    "time_signature_range": {8: [3, 5, 6, 7, 9, 12], 4: [1, 2, 3, 4, 5, 6, 7]},
}
# What they are in one tokenizer; TokenizerConfig takes those unseen that it alone has.
_BARS = {"max_bar_embedding": 60}
_REMI = {"use_bar_end_tokens": False, "add_trailing_bars": False}
_OWN_SETTINGS: dict[str, dict[str, Any]] = {
    "REMI": _REMI,
    "Octuple": _BARS,
    "MuMIDI": _BARS,
    "MMM": {"base_tokenizer": "REMI", **_REMI},
    "PerTok": {
        "use_time_signatures": False,
        "ticks_per_quarter": 320,
        "use_microtiming": True,
        "max_microtiming_shift": 0.125,
        "num_microtiming_bins": 30,
        "use_position_toks": False,
    },
}
_NOT_IN_PIECES = {"use_key_signatures": "key signatures", "use_pitch_bends": "pitch bends"}

_OUT_OF_VOCABULARY = "meter_not_in_vocabulary"
_BAR, _PAD = "Bar_None", "PAD_None"


class MiditokEncoding:
    """One of MidiTok's tokenizers.

    Attributes:
      tokenizer: MidiTok's object.
    """

    reasons: tuple[str, ...] = (
        *tempo_grid.REASONS,
        symusic_score.UNUSABLE_NOTES,
        _OUT_OF_VOCABULARY,
        "out_of_range",
        "silent",
    )

    def __init__(
        self, tokenizer: str, *, params: str = "", max_steps: int = 1024, **config: Any
    ) -> None:
        """Makes the encoding.

        Args:
          tokenizer: one of TOKENIZERS, which are MidiTok's classes.
          params: path of a tokenizer that MidiTok saved, a trained one for instance; it has all
            settings.
          max_steps: tokens of an example; 0 leaves pieces whole.
          config: fields of MidiTok's TokenizerConfig, in Python or as its JSON has them
            (`beat_res={"0_4": 8}`), and settings of the tokenizer alone.

        Raises:
          ValueError: the extra is missing, a setting is unknown or has no effect, or the
            file is no tokenizer of this kind.
        """
        if tokenizer not in TOKENIZERS:
            raise ValueError(f"MidiTok has no tokenizer {tokenizer!r}; use {', '.join(TOKENIZERS)}")
        tempo_grid.check_max_steps(max_steps)
        if params and config:
            raise ValueError(f"{params!r} has all settings; leave {', '.join(config)} out")
        self.name = f"miditok_{tokenizer.lower()}"
        miditok = _import("miditok", self.name)
        _import("symusic", self.name)
        self._max_steps = max_steps
        if params:
            self._file = _read(params)
            self.tokenizer: Any = _opened(miditok, tokenizer, params, self._file)
        else:
            self.tokenizer = _made(miditok, tokenizer, config)
            self._file = json.dumps(self.tokenizer.to_dict(), indent=1).encode()
        for field, what in _NOT_IN_PIECES.items():
            if getattr(self.tokenizer.config, field):
                raise ValueError(f"scores keep no {what} here; {self.name} needs {field} off")
        sizes: int | list[int] = self.tokenizer.len
        self.num_events: int | tuple[int, ...]
        self.num_events = sizes if isinstance(sizes, int) else tuple(sizes)
        self.num_classes = self.num_events
        self.input_size = sizes if isinstance(sizes, int) else sum(sizes)
        of_package = importlib.metadata.version("miditok")
        self.version = f"1 miditok-{of_package} {hashlib.sha256(self._file).hexdigest()}"
        self._words: dict[int, list[str]] = {}

    def vocabulary_file(self) -> tuple[str, bytes]:
        """(name, contents) of the file that MidiTok opens the same tokenizer from.

        `miditok.REMI(params="tokenizer.json")`, and so on.
        """
        return "tokenizer.json", self._file

    def encode(self, piece: Piece, *, is_training: bool = False) -> EncodedPiece:
        """The tokens of a piece; of each of its tracks, if the settings keep them apart."""
        found = EncodedPiece()
        try:
            score = symusic_score.to_score(piece, found.dropped)
        except UnusablePieceError as error:
            found.dropped[error.reason] += 1
            return found
        self._drop_meters(score, found)
        prepared = self.tokenizer.preprocess_score(score)
        if not prepared.note_num():
            found.dropped["out_of_range"] += 1
            return found
        for where, window in self._windows(prepared):
            if not window.note_num():
                found.dropped["silent"] += 1
                continue
            encoded = self.tokenizer.encode(window, no_preprocess_score=True)
            if self.tokenizer.one_token_stream:
                self._cut(encoded, window, where, found)
                continue
            for index, sequence in enumerate(encoded):
                track = window.tracks[index]
                program = "drums" if track.is_drum else f"program {track.program}"
                self._cut(sequence, window, f"{where}track {index}, {program}, ", found)
        return found

    def _drop_meters(self, score: Any, found: EncodedPiece) -> None:
        """Leaves meters out that have no token; PerTok would break at them."""
        if self.tokenizer.config.use_time_signatures:
            known = set(self.tokenizer.time_signatures)
            for index in range(len(score.time_signatures) - 1, -1, -1):
                meter = score.time_signatures[index]
                if (meter.numerator, meter.denominator) not in known:
                    found.dropped[_OUT_OF_VOCABULARY] += 1
                    del score.time_signatures[index]

    def _windows(self, prepared: Any) -> Iterator[tuple[str, Any]]:
        """(where, score) of the stretches that have numbers for their bars."""
        most = self.tokenizer.config.additional_params.get("max_bar_embedding")
        bars = _bar_ticks(prepared)
        if most is None or len(bars) <= most:
            yield "", prepared
            return
        for first in range(0, len(bars), most):
            last = min(first + most, len(bars))
            until = bars[last] if last < len(bars) else prepared.end() + 1
            window = prepared.clip(bars[first], until, clip_end=False)
            yield f"bars {first} to {last - 1}, ", window.shift_time(-bars[first])

    def _cut(self, sequence: Any, window: Any, where: str, found: EncodedPiece) -> None:
        """Adds the parts of a sequence."""
        events = self._to_array(sequence.ids)
        if not len(events):
            return
        begins = self._bar_tokens(sequence, window) if self._max_steps else np.zeros(0, np.int64)
        for part in _parts(len(events), begins, self._max_steps):
            made_by = where + tempo_grid.described(part, len(events), "tokens")
            found.examples.append(EncodedExample(events[part], made_by=made_by))

    def _to_array(self, ids: list[Any]) -> Steps:
        if not isinstance(self.num_events, tuple):
            return np.array(ids, np.int64)
        pads = [vocabulary[_PAD] for vocabulary in self.tokenizer.vocab]
        return np.array([[*row, *pads[len(row) :]] for row in ids], np.int64)

    def _bar_tokens(self, sequence: Any, window: Any) -> Steps:
        """The tokens that bars begin with, in the ids of a trained tokenizer too."""
        is_bar = [_BAR in token for token in sequence.tokens]
        if any(is_bar):
            begins = np.flatnonzero(is_bar)
        else:
            times = [event[0].time if isinstance(event, list) else event.time
                     for event in sequence.events]  # fmt: skip
            of_token = np.searchsorted(_bar_ticks(window), times, "right")
            begins = 1 + np.flatnonzero(np.diff(of_token))
        if not self.tokenizer.is_trained:
            return begins
        lengths = [len(self._words_of(id_)) for id_ in sequence.ids]
        firsts = np.cumsum([0, *lengths[:-1]])
        # A mark that words begin with has no length: of equal ones, the first begins a bar.
        return np.flatnonzero(np.isin(firsts, begins) & (np.diff(firsts, prepend=-1) > 0))

    def _words_of(self, id_: int) -> Any:
        """The tokens that an id stands for: several, where a trained tokenizer joined them."""
        if not self.tokenizer.is_trained:
            return [self.tokenizer[id_]]
        if id_ not in self._words:
            sequence = _import("miditok", self.name).TokSequence(ids=[id_], are_ids_encoded=True)
            self.tokenizer.decode_token_ids(sequence)
            self._words[id_] = sequence.tokens
        return self._words[id_]

    def tokens(self, example: EncodedExample) -> list[str]:
        """MidiTok's tokens: `Pitch_60`, joined ones as `Pitch_60+Velocity_63`, columns by `/`.

        A trained tokenizer's mark that a bar or a beat begins, which stands for none, is `_`.
        """
        if not isinstance(self.num_events, tuple):
            return ["+".join(self._words_of(id_)) or "_" for id_ in example.events.tolist()]
        rows = [
            [self.tokenizer[column, id_] for column, id_ in enumerate(row)]
            for row in example.events.tolist()
        ]
        return ["/".join(word for word in row if word != "Ignore_None") for row in rows]

    def inputs(self, example: EncodedExample) -> npt.NDArray[np.float32]:
        """The ids, one-hot: shape [num_steps, input_size]; columns side by side."""
        if not isinstance(self.num_events, tuple):
            return one_hot(example.events, self.input_size)
        columns = [
            one_hot(example.events[:, column], size) for column, size in enumerate(self.num_events)
        ]
        return np.concatenate(columns, axis=1)

    def labels(self, example: EncodedExample) -> Steps:
        """The ids, shape [num_steps], or [num_steps, columns]."""
        return example.events

    def label_to_event(self, label: Any, events: Steps) -> Any:
        """Labels are events."""
        return label

    def decode(self, example: EncodedExample, qpm: float = 120.0) -> Any:
        """The NoteSequence that MidiTok reads in the tokens; at `qpm` where they name no tempo.

        A track without programs is a piano.

        Raises:
          ValueError: the tempo is none, or MidiTok finds no sense in the tokens, as in columns that
            no note has together.
        """
        sequence = _import("miditok", self.name).TokSequence(
            ids=example.events.tolist(), are_ids_encoded=self.tokenizer.is_trained
        )
        is_one = self.tokenizer.one_token_stream
        try:
            score = self.tokenizer.decode(sequence if is_one else [sequence])
        except Exception as error:
            raise ValueError(f"MidiTok finds no sense in these tokens: {error!r}") from error
        has_tempo = any("Tempo_" in token for token in self.tokens(example))
        return symusic_score.to_sequence(score, None if has_tempo else qpm)


def _parts(num_steps: int, begins: Steps, max_steps: int) -> Iterator[slice]:
    """Parts as long as the limit lets them be, up to a beginning of a bar where there is one."""
    first = 0
    while max_steps and num_steps - first > max_steps:
        within = begins[np.searchsorted(begins, first + max_steps, "right") - 1 :][:1]
        last = int(within[0]) if len(within) and first < within[0] else first + max_steps
        last = min(last, first + max_steps)
        yield slice(first, last)
        first = last
    yield slice(first, num_steps)


def _bar_ticks(score: Any) -> Any:
    """The ticks of the bars of a prepared score, up to its last note."""
    utils = importlib.import_module("miditok.utils")
    return utils.get_bars_ticks(score, only_notes_onsets=True)


def _import(module: str, name: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ValueError(
            f'the encoding {name} needs MidiTok ({error}): pip install "genremill[miditok]"'
        ) from error


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ValueError(f"no tokenizer can be read at {path!r}: {error}") from error


def _opened(miditok: Any, kind: str, path: str, contents: bytes) -> Any:
    """The tokenizer of a file."""
    try:
        written = json.loads(contents)["tokenization"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path!r} is no tokenizer that MidiTok saved: {error!r}") from error
    if written != kind:
        raise ValueError(f"{path!r} is a tokenizer of {written}, not of {kind}")
    return _quietly(lambda: getattr(miditok, kind)(params=path), f"the tokenizer {path!r}")


def _quietly(make: Any, what: str) -> Any:
    """What is made, without warnings: those about settings are errors of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return make()
        except Exception as error:
            raise ValueError(f"MidiTok refuses {what}: {error!r}") from error


def _made(miditok: Any, kind: str, config: Mapping[str, Any]) -> Any:
    """A tokenizer of settings; each that was given must hold."""
    own = _OWN_SETTINGS.get(kind, {})
    fields = miditok.TokenizerConfig().to_dict().keys() - {"additional_params"}
    unknown = sorted(config.keys() - fields - own.keys())
    if unknown:
        known = ", ".join(sorted({*fields, *own}))
        raise ValueError(f"{kind} has no setting {', '.join(unknown)}; it has {known}")
    settings = _DEFAULTS | own | {field: _from_json(field, config[field]) for field in config}
    asked = _quietly(lambda: miditok.TokenizerConfig(**settings), f"{dict(config)}")
    made = _quietly(lambda: getattr(miditok, kind)(asked.copy()), f"{dict(config)}")
    for field in config:
        wanted, held = _value(asked, field), _value(made.config, field)
        if wanted != held:
            raise ValueError(f"{kind} cannot have {field}={wanted}; there it is {held}")
    return made


def _value(config: Any, field: str) -> Any:
    return config.additional_params.get(field, getattr(config, field, None))


def _from_json(field: str, value: Any) -> Any:
    """A value as Python has it: JSON and TOML have neither tuples nor keys that are numbers."""
    if field in ("beat_res", "beat_res_rest"):
        return {_beats(beats): resolution for beats, resolution in dict(value).items()}
    if field == "time_signature_range":
        return {int(beat): numbers for beat, numbers in dict(value).items()}
    if field == "chord_maps":
        return {quality: tuple(tones) for quality, tones in dict(value).items()}
    return tuple(value) if field.endswith("_range") else value


def _beats(key: Any) -> tuple[int, int]:
    first, last = key.split("_") if isinstance(key, str) else key
    return int(first), int(last)
