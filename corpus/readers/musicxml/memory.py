"""What texts of a score told before, so that texts seen again need not be read again."""

from __future__ import annotations

from typing import Generic, TypeVar

from corpus.readers.musicxml.texts import Texts

# A key of this length takes 3 kB at most, so that a memory of strangers' texts takes 12 MB.
_MAX_KEYS = 4096
_MAX_TEXTS = 32
_MAX_CHARACTERS = 256

_Told = TypeVar("_Told")


class Memory(dict[tuple[int, Texts], _Told], Generic[_Told]):
    """(transposition, texts) -> what they told. Only what nothing else decides may be kept."""

    def keep(self, key: tuple[int, Texts], told: _Told) -> None:
        """Remembers it, unless the texts are long; forgets everything once there is too much."""
        texts = key[1]
        if len(texts) > _MAX_TEXTS or sum(len(text or "") for text in texts) > _MAX_CHARACTERS:
            return
        if len(self) >= _MAX_KEYS:
            self.clear()
        self[key] = told
