"""Ending a training between two steps when somebody asks it to, so that its state can be saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Wish:
    """Whether an end is wished for."""

    is_over = False

    def check(self) -> None:
        """Raises KeyboardInterrupt where it is."""
        if self.is_over:
            raise KeyboardInterrupt


@contextmanager
def wishes() -> Iterator[Wish]:
    """Takes SIGINT and SIGTERM for wishes; a second one interrupts at once."""
    wish = Wish()
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return

    def take(_: int, __: FrameType | None) -> None:
        wish.check()
        wish.is_over = True

    earlier = {number: signal.signal(number, take) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wish
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
