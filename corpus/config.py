"""config.toml -> frozen dataclasses. An unknown key is an error that names the known ones."""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from corpus import names
from corpus.config_limits import LIMITS
from corpus.layout import Layout

DEFAULT_SOURCE = "music21_corpus"

# Model -> encoding that it reads unless told otherwise; other models are called as theirs.
MODEL_ENCODINGS = {
    "char_rnn": "deep_symphony",
    "conditional_char_rnn": "deep_symphony",
    "seq_autoencoder": "basic_rnn",
    "continuous_seq_autoencoder": "basic_rnn",
    "seqgan": "basic_rnn",
    "wgan_abc": "abc_text",
    "rnn_gan": "pianoroll",
    "cnn_wgan": "pianoroll",
    "dcrnn": "pianoroll",
    "pix2pix": "pianoroll",
}


@dataclass(frozen=True)
class BeamConfig:
    """Where the Beam stages run."""

    runner: str = "local"
    num_workers: int = 2


@dataclass(frozen=True)
class ScrapeConfig:
    """A site -> `raw/<site>`."""

    site: str = ""
    index: str = ""
    catalog: str = ""
    folder: str = ""
    license: str = ""
    only: tuple[str, ...] = ()
    i_have_permission: bool = False
    delay_seconds: float = 1.0
    max_scores: int = 0
    max_requests: int = 0
    daily_requests: int = 0
    daily_mb: float = 0.0
    max_page_mb: float = 4.0
    max_score_mb: float = 16.0
    max_file_mb: float = 8000.0
    timeout_seconds: float = 20.0
    max_seconds: float = 60.0
    max_tries: int = 3
    revisit_days: float = 0.0
    private_hosts: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """The TOML file of the one site that the user describes; empty for a site by name."""
        if self.site == "html_index":
            return self.index
        return self.site if self.site.endswith(".toml") else ""

    @property
    def name(self) -> str:
        """The folder below `raw/` that the site goes to: its name, or that of its TOML file."""
        file = self.description.rpartition("/")[2]
        return names.slug(file.removesuffix(".toml")) if file else self.site


@dataclass(frozen=True)
class IngestConfig:
    """Scores -> NoteSequences."""

    source: str = DEFAULT_SOURCE
    limit_per_artist: int = 0
    files_per_shard: int = 256
    count_lost_time: bool = False
    near_duplicates: float = 0.3
    num_readers: int = 2
    max_file_mb: float = 16.0
    max_memory_mb: int = 320
    max_seconds: float = 20.0


@dataclass(frozen=True)
class GenresConfig:
    """Artists -> genres."""

    providers: tuple[str, ...] = ("table",)
    table: str = ""
    overrides: str = ""
    cache: str = ""
    spotify_daily_calls: int = 900
    msd_labels: tuple[str, ...] = ()
    match_scores: str = ""


@dataclass(frozen=True)
class SubsetsConfig:
    """Tracks -> one subset a genre, split."""

    genres: tuple[str, ...] = ()
    where: str = ""
    min_confidence: float = 0.0
    max_tracks_per_artist: int = 0
    min_tracks: int = 10
    min_artists: int = 10
    eval_ratio: float = 0.10
    test_ratio: float = 0.10
    tracks_per_shard: int = 128


@dataclass(frozen=True)
class ExamplesConfig:
    """NoteSequences -> SequenceExamples."""

    encoding: str = "attention_rnn"
    extraction: str = ""
    settings: tuple[str, ...] = ()
    format: str = "compact"
    shard_mb: float = 32.0

    @property
    def way(self) -> str:
        """full or magenta: of extraction; what stands in Magenta's format is Magenta's."""
        return self.extraction or ("magenta" if self.format == "magenta" else "full")

    @property
    def folder(self) -> str:
        """What the examples are filed under: the encoding, and a format that is not ours."""
        return self.encoding if self.format == "compact" else f"{self.encoding}.{self.format}"


@dataclass(frozen=True)
class VizConfig:
    """The pages that show the corpus."""

    perplexity: float = 30.0
    max_families: int = 9
    excerpt_seconds: float = 20.0
    max_music_mb: float = 5.0
    pieces_per_genre: int = 40


@dataclass(frozen=True)
class TrainConfig:
    """One model a genre."""

    model: str = "attention_rnn"
    hparams: str = ""
    base: str = ""
    num_steps: int = 0
    eval_every: int = 0
    checkpoint_every: int = 0
    patience: int = 6
    max_eval_batches: int = 20
    precision: str = "auto"
    device: str = "auto"


@dataclass(frozen=True)
class SampleConfig:
    """Music from a trained model; what is 0 or empty is left to the model's family."""

    num_outputs: int = 10
    num_steps: int = 0
    temperature: float = 1.0
    strategy: str = "full"
    top_n: int = 0
    guess_share: float = 0.05
    top_p: float = 0.9
    beam_size: int = 1
    branch_factor: int = 1
    steps_per_iteration: int = 1
    qpm: float = 0.0
    key: str = ""
    primer_melody: tuple[int, ...] = ()
    primer_pitches: tuple[int, ...] = ()
    primer_drums: str = ""
    primer_midi: str = ""
    primer_text: str = ""
    condition_on_primer: bool = False
    inject_primer_during_generation: bool = True
    backing_chords: str = ""
    steps_per_chord: int = 16
    render_chords: bool = False
    note_density: float = 0.0
    mean_pitch: float = 0.0
    pitch_class_histogram: tuple[float, ...] = ()
    disable_conditioning: bool = False
    walk: str = "theme"
    flips: int = 2
    flip_all: float = 0.0
    target_midi: str = ""
    form: str = ""
    drop: float = 0.5


@dataclass(frozen=True)
class Config:
    """Everything a run can be told. `config.toml` documents each key."""

    data: str = "data"
    seed: int = 0
    force: bool = False
    deny: str = ""
    beam: BeamConfig = field(default_factory=BeamConfig)
    scrape: ScrapeConfig = field(default_factory=ScrapeConfig)
    ingest: IngestConfig = field(default_factory=IngestConfig)
    genres: GenresConfig = field(default_factory=GenresConfig)
    subsets: SubsetsConfig = field(default_factory=SubsetsConfig)
    examples: ExamplesConfig = field(default_factory=ExamplesConfig)
    viz: VizConfig = field(default_factory=VizConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    sample: SampleConfig = field(default_factory=SampleConfig)

    @property
    def model_name(self) -> str:
        """What trained models and samples are filed under: the model, and a foreign encoding."""
        model, encoding = self.train.model, self.examples.encoding
        return model if encoding == own_encoding(model) else f"{model}.{encoding}"


def own_encoding(model: str) -> str:
    """The encoding that a model reads unless it is told otherwise."""
    return MODEL_ENCODINGS.get(model, model)


_NEVER_EMPTY = ("data", "ingest.source", "genres.providers")
_PATHS = (
    *("data", "deny", "ingest.source", "genres.table", "genres.overrides", "genres.cache"),
    *("scrape.site", "scrape.index", "scrape.catalog", "scrape.folder"),
    *("genres.msd_labels", "genres.match_scores"),
    *("sample.primer_midi", "sample.target_midi"),
)


def all_keys(section: type = Config, prefix: str = "") -> list[str]:
    """Every dotted key, in file order, for instance `ingest.source`."""
    keys: list[str] = []
    hints = typing.get_type_hints(section)
    for item in dataclasses.fields(section):
        kind = hints[item.name]
        if dataclasses.is_dataclass(kind):
            keys += all_keys(typing.cast(type, kind), f"{prefix}{item.name}.")
        else:
            keys.append(prefix + item.name)
    return keys


def _unknown(key: str) -> ValueError:
    known = all_keys()
    near = names.nearest(key, known)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known keys: {', '.join(known)}"
    return ValueError(f"unknown configuration key {key!r}; {hint}")


def _split_list(text: str) -> list[str]:
    """The items between commas; a list inside an item keeps its own."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    parts = re.findall(r"(?:[^,\[\]]|\[[^\[\]]*\]|[\[\]])+", text)
    return [part.strip().strip("\"'") for part in parts]


def _parse_text(text: str, kind: Any, key: str) -> Any:
    """A value from --set, which is always text."""
    if kind is bool:
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if text.lower() not in words:
            raise ValueError(f"{key} is true or false, not {text!r}")
        return words[text.lower()]
    if typing.get_origin(kind) is tuple:
        return [item for item in _split_list(text) if item]
    return text


def _coerce(value: Any, kind: Any, key: str) -> Any:
    """Checks a value against the type of its field, with the value in the message."""
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{key} is a list, not {value!r}")
        return tuple(_coerce(item, typing.get_args(kind)[0], key) for item in value)
    if kind is bool and isinstance(value, bool):
        return value
    if kind is str and isinstance(value, str):
        return os.path.expanduser(value) if key in _PATHS else value
    if kind in (int, float) and not isinstance(value, bool):
        try:
            number = kind(value)
        except (TypeError, ValueError, OverflowError):
            number = None
        if number is not None and str(number) not in ("nan", "inf") and number == float(value):
            low, high = LIMITS.get(key, (float("-inf"), float("inf")))
            if low <= number <= high:
                return number
            raise ValueError(f"{key} lies between {low:g} and {high:g}, not {value}")
    word = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[kind]
    raise ValueError(f"{key} is {word}, not {value!r}")


def _build(section: type, values: Mapping[str, Any], prefix: str) -> Any:
    hints = typing.get_type_hints(section)
    known = {item.name for item in dataclasses.fields(section)}
    for key in values:
        if key not in known:
            raise _unknown(prefix + key)
    arguments: dict[str, Any] = {}
    for name, value in values.items():
        kind, key = hints[name], prefix + name
        if dataclasses.is_dataclass(kind):
            if not isinstance(value, Mapping):
                raise ValueError(f"{key} is a section, [{key}], not a value")
            arguments[name] = _build(typing.cast(type, kind), value, key + ".")
        else:
            arguments[name] = _coerce(value, kind, key)
            if key in _NEVER_EMPTY and not arguments[name]:
                raise ValueError(f"{key} is empty; give it a value, or leave it to its default")
    return section(**arguments)


def _apply(values: dict[str, Any], setting: str) -> None:
    """Puts one `section.key=value` into the nested values."""
    key, equals, text = setting.partition("=")
    key = key.strip()
    if not equals:
        raise ValueError(f"--set takes key=value, not {setting!r}")
    kind: Any = Config
    *sections, last = key.split(".")
    target = values
    for section in sections:
        kind = typing.get_type_hints(kind).get(section)
        if not dataclasses.is_dataclass(kind):
            raise _unknown(key)
        target = target.setdefault(section, {})
        if not isinstance(target, dict):
            raise ValueError(f"{section} is a section, [{section}], not a value")
    if last not in typing.get_type_hints(kind):
        raise _unknown(key)
    target[last] = _parse_text(text, typing.get_type_hints(kind)[last], key)


def load(path: str | None = None, settings: Iterable[str] = ()) -> Config:
    """Reads a TOML file (or the defaults) and applies `section.key=value` settings in order.

    Raises:
      ValueError: a key that does not exist or a value that does not fit.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            with open(path, "rb") as file:
                values = tomllib.load(file)
        except OSError as error:
            raise ValueError(f"cannot read the configuration {path}: {error.strerror}") from error
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{path} is not valid TOML: {error}") from error
    for setting in settings:
        _apply(values, setting)
    config: Config = _build(Config, values, "")
    if config.subsets.eval_ratio + config.subsets.test_ratio > 0.8:
        raise ValueError("subsets.eval_ratio and subsets.test_ratio leave under 20 % to train on")
    if not values.get("examples", {}).get("encoding"):
        examples = dataclasses.replace(config.examples, encoding=own_encoding(config.train.model))
        config = dataclasses.replace(config, examples=examples)
    if config.scrape.site and config.ingest.source == DEFAULT_SOURCE:
        scraped = Layout(config.data).raw(config.scrape.name)
        ingest = dataclasses.replace(config.ingest, source=scraped)
        config = dataclasses.replace(config, ingest=ingest)
    return config
