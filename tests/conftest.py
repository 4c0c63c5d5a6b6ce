"""What all tests share: names of cases that are the same in every process.

pytest writes a case of bytes into the name of its test. Packed bytes hold the time (gzip's header),
so that two workers that collect the same tests could find different names, and stop.
"""

from typing import Any


def pytest_make_parametrize_id(val: Any, argname: str) -> str | None:
    """A case of bytes is named by its argument (and its number); pytest names the others."""
    return argname if isinstance(val, bytes | bytearray) else None
