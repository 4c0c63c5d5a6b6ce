"""What the files of trained models say of themselves, read without the library that trained them.

Source of facts: https://huggingface.co/docs/safetensors (eight bytes with the header's length,
little-endian, then the header as JSON); the header's `genremill` is what trainers.bundle writes.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from corpus import files
from corpus.config import Config, ExamplesConfig, TrainConfig
from corpus.records import StageReport

_SUFFIX = ".safetensors"
_MAX_HEADER = 1 << 26


def settings_of(config: Config, folder: str, report: StageReport) -> Config | None:
    """The configuration with the settings that a model was trained with.

    Args:
      config: for all that the model does not say.
      folder: of the model; report: of its training.

    Returns: None where no file of the model can be read.
    """
    for name in report.files:
        header = _header(files.join(folder, name)) if name.endswith(_SUFFIX) else None
        if header:
            try:
                return dataclasses.replace(
                    config,
                    seed=int(header["seed"]),
                    train=TrainConfig(**header["train"]),
                    examples=ExamplesConfig(**_tuples(header["examples"])),
                )
            except (KeyError, TypeError, ValueError):
                return None
    return None


def _header(path: str) -> dict[str, Any] | None:
    try:
        with files.open_seekable(path) as file:
            length = int.from_bytes(file.read(8), "little")
            written = json.loads(file.read(min(length, _MAX_HEADER)))
        found = json.loads(written["__metadata__"]["genremill"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in fields.items()}
