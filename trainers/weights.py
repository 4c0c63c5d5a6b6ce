"""Files of weights: safetensors, all else as JSON in the header. No pickle is read or written.

A file may be a stranger's: its size is bounded, its header is checked field by field, and whether
its weights fit is seen before anything is made of them.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from corpus import files, tables

Info = TypeVar("Info")


class BundleError(ValueError):
    """A file that is no bundle of ours, or a damaged one."""


@dataclass(frozen=True)
class Format(Generic[Info]):
    """One kind of file.

    Attributes:
      key: the header's entry; number: its version, the field `format` of the info.
      info: the dataclass of the entry; check: raises TypeError or ValueError for odd values in it.
      what: it holds, in words; foreign: words for one that holds nothing of the kind.
      others: key of another kind -> words for it.
      max_bytes: of a file.
    """

    key: str
    number: int
    info: type[Info]
    check: Callable[[Info], object]
    what: str
    foreign: str
    max_bytes: int
    others: Mapping[str, str] = field(default_factory=dict)

    def save(self, path: str, tensors: Mapping[str, Tensor], info: Info) -> str:
        """Writes a file atomically; the same content gives the same bytes. Returns its SHA-256."""
        # Sorted and in one header key: safetensors keeps the order of a metadata map of one.
        header = {self.key: json.dumps(tables.plain(info), sort_keys=True, ensure_ascii=True)}
        ordered = {name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}
        return files.write_bytes(path, safetensors.torch.save(ordered, header))

    def load(self, path: str) -> tuple[dict[str, Tensor], Info]:
        """Reads a file.

        Raises:
          BundleError: it is missing, damaged, or of another kind.
        """
        try:
            with files.open_seekable(path) as file:
                data = file.read(self.max_bytes + 1)
        except OSError as error:
            raise BundleError(
                f"cannot read the {self.what} {path}: {error.strerror or error}"
            ) from error
        if len(data) > self.max_bytes:
            raise BundleError(f"{path} has over {self.max_bytes} bytes")
        try:
            tensors = safetensors.torch.load(data)
            length = int.from_bytes(data[:8], "little")
            entries = json.loads(data[8 : 8 + length])["__metadata__"]
            for key, words in self.others.items():
                if key in entries and self.key not in entries:
                    raise BundleError(f"{path} {words}")
            info = self._info(json.loads(entries[self.key]), path)
        except BundleError:
            raise
        except (SafetensorError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{path} {self.foreign}, or it is damaged: {error}") from error
        return tensors, info

    def _info(self, header: dict[str, Any], path: str) -> Info:
        if header.get("format") != self.number:
            raise BundleError(
                f"{path} has format {header.get('format')}; this version reads {self.number}: "
                "train it again"
            )
        info = self.info(**header)
        kinds = typing.get_type_hints(self.info)
        for name in [each.name for each in dataclasses.fields(typing.cast(Any, info))]:
            kind, value = kinds[name], getattr(info, name)
            if not isinstance(value, typing.get_origin(kind) or kind):
                raise TypeError(f"its {name} is {value!r:.40}")
        self.check(info)
        return info


def require_fit(path: str, tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Raises BundleError where weights have other names, shapes or kinds than a network's."""
    if _shapes(tensors) != _shapes(wanted):
        raise BundleError(f"{path} does not fit its own header: it has other weights")


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[tuple[int, ...], str]]:
    return {name: (tuple(tensor.shape), str(tensor.dtype)) for name, tensor in tensors.items()}
