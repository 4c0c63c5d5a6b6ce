"""How a run can be made again: the settings that are not the default, as commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from corpus.config import Config, all_keys, own_encoding

# Setting -> the variable of `make` that gives it.
_VARIABLES = {
    "ingest.source": "SOURCE",
    "genres.table": "GENRE_TABLE",
    "genres.providers": "PROVIDERS",
    "subsets.genres": "GENRES",
    "subsets.where": "WHERE",
    "train.model": "MODEL",
    "train.hparams": "HPARAMS",
    "train.base": "BASE",
    "examples.encoding": "ENCODING",
    "examples.extraction": "EXTRACTION",
    "examples.settings": "SETTINGS",
    "examples.format": "FORMAT",
    "seed": "SEED",
    "scrape.site": "SITE",
    "scrape.index": "INDEX",
    "scrape.folder": "FOLDER",
    "scrape.only": "SELECT",
}
# What says where something lies, or how it is run, and nothing of the result.
_NO_MATTER = ("data", "force", "beam.", "viz.", "genres.cache", "ingest.num_readers")
_PATHS = (
    "ingest.source", "genres.table", "genres.overrides", "genres.msd_labels", "deny",
    "genres.match_scores", "scrape.index", "scrape.folder", "scrape.catalog", "sample.primer_midi",
)  # fmt: skip
_OF_MODELS = ("examples.", "train.", "sample.")


def of_corpus(config: Config, *, with_paths: bool = True) -> dict[str, str]:
    """Key -> value as one types it: what is not the default of the settings that shape the corpus.

    Args:
      config: of the run.
      with_paths: whether folders are told; else a path is its last name, as for publishing.
    """
    found = {key: value for key, value in _changed(config) if not key.startswith(_OF_MODELS)}
    if not with_paths:
        found |= {key: _shortened(value) for key, value in found.items() if key in _PATHS}
    return {key: _typed(value) for key, value in found.items()}


def of_model(config: Config) -> dict[str, str]:
    """The same of the settings that shape examples, a model and its samples, and the seed."""
    found = {key: _typed(v) for key, v in _changed(config) if key.startswith((*_OF_MODELS, "seed"))}
    if config.examples.encoding == own_encoding(config.train.model):
        found.pop("examples.encoding", None)
    return found


def _changed(config: Config) -> Iterator[tuple[str, Any]]:
    usual = Config()
    for key in all_keys():
        value = _value(config, key)
        if value != _value(usual, key) and not key.startswith(_NO_MATTER):
            yield key, value


def command(settings: dict[str, str], targets: str, data: str) -> str:
    """One command line of `make` for a shell, or one a stage where a value is no single word."""
    variables = {_VARIABLES[key]: text for key, text in settings.items() if key in _VARIABLES}
    rest = {key: text for key, text in settings.items() if key not in _VARIABLES}
    if any(shlex.quote(text) != text for text in rest.values()):
        return "\n".join(_python_lines(settings, targets, data))
    if rest:
        variables["SET"] = " ".join(f"--set {key}={text}" for key, text in rest.items())
    given = [f"{name}={shlex.quote(text)}" for name, text in {**variables, "DATA": data}.items()]
    return " ".join(["make", targets, *given])


def _python_lines(settings: dict[str, str], targets: str, data: str) -> Iterator[str]:
    flags = " ".join(
        f"--set {shlex.quote(f'{key}={text}')}" for key, text in {"data": data, **settings}.items()
    )
    for target in targets.split():
        package = "trainers" if target in ("train", "sample", "evaluate") else "pipelines"
        genre = ' --genre "$GENRE"' if target == "train" else ""
        yield f"python -m {package}.{target} {flags}{genre}"


def _value(config: Config, key: str) -> Any:
    value: Any = config
    for name in key.split("."):
        value = getattr(value, name)
    return value


def _shortened(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_shortened, value))
    parts = [part.rstrip("/").rpartition("/")[2] or part for part in str(value).split(",")]
    return ",".join(parts)


def _typed(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(map(_typed, value))
    return str(value)
