"""How much memory a process took."""

from __future__ import annotations

import re
from pathlib import Path


def peak_mb() -> float:
    """Most resident memory of this process so far, in MB.

    From /proc, since getrusage's ru_maxrss starts at that of the process that started this one
    (Linux keeps it over exec).
    """
    status = Path("/proc/self/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise RuntimeError("/proc/self/status has no VmHWM: measuring memory needs Linux")
    return int(found[1]) / 1024
