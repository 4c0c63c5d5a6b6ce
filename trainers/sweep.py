"""Settings to compare: `rnn_layer_sizes=[64,64],[128,128] dropout_keep_prob=1,0.5`."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from corpus import names

_SETTING = re.compile(r"(\w+)=((?:\[[^\]]*\]|[^\s\[\]])+)")
_VALUE = re.compile(r"\[[^\]]*\]|[^,]+")
_MOST_VARIANTS = 1000


@dataclass(frozen=True)
class Variant:
    """One combination of the settings.

    Attributes:
      settings: (name, value) of each, as they were written.
      index: which of all combinations it is.
    """

    settings: tuple[tuple[str, str], ...]
    index: int

    @property
    def words(self) -> str:
        """`rnn_layer_sizes=[64,64] dropout_keep_prob=1`."""
        return " ".join(f"{name}={value}" for name, value in self.settings)

    @property
    def hparams(self) -> str:
        """The same as hyperparameters are written."""
        return ",".join(f"{name}={value}" for name, value in self.settings)

    @property
    def folder(self) -> str:
        """A name for a folder."""
        return names.slug(self.words.replace("=", " ").replace(".", "p"))


def variants(text: str) -> list[Variant]:
    """Every combination, the last setting changing fastest; none for an empty text.

    Raises:
      ValueError: the text cannot be read, or there are too many combinations.
    """
    found = _SETTING.findall(text)
    if _SETTING.sub("", text).strip() or (text.strip() and not found):
        raise ValueError(
            f"the sweep {text!r} cannot be read; write name=value,value other=value,value"
        )
    if not found:
        return []
    choices = [[(name, value) for value in _VALUE.findall(values)] for name, values in found]
    combinations = list(itertools.islice(itertools.product(*choices), _MOST_VARIANTS + 1))
    if len(combinations) > _MOST_VARIANTS:
        raise ValueError(f"the sweep {text!r} has over {_MOST_VARIANTS} combinations")
    return [Variant(settings, index) for index, settings in enumerate(combinations)]
