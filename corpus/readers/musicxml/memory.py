"""What pieces of text told before, so that text seen again need not be read again."""

from __future__ import annotations

from typing import Generic, TypeVar

# A memory of strangers' texts takes 4 MB at most, and what they told.
_MAX_TEXTS = 4096
_MAX_BYTES = 1024

_Told = TypeVar("_Told")


class Memory(dict[bytes, _Told], Generic[_Told]):
    """Text -> what it told. Only what nothing else decides may be kept."""

    def keep(self, text: bytes, told: _Told) -> None:
        """Remembers it, unless the text is long; forgets everything once there is too much."""
        if len(text) > _MAX_BYTES:
            return
        if len(self) >= _MAX_TEXTS:
            self.clear()
        self[text] = told


class Memories(Generic[_Told]):
    """A memory for each transposition, a few at a time."""

    _MAX_MEMORIES = 4

    def __init__(self) -> None:
        self._by_transposition: dict[int, Memory[_Told]] = {}

    def __getitem__(self, transposition: int) -> Memory[_Told]:
        memory = self._by_transposition.get(transposition)
        if memory is None:
            if len(self._by_transposition) >= self._MAX_MEMORIES:
                self._by_transposition.clear()
            memory = self._by_transposition[transposition] = Memory()
        return memory
