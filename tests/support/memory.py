"""Where tests keep what need not outlive them: in memory, if the machine offers room there."""

from __future__ import annotations

import os
import shutil
import tempfile

MEMORY = "/dev/shm"
ROOM = 4 * 1024**3


def scratch_root() -> str:
    """A directory for databases that no power cut has to spare; containers often give it 64 MB."""
    usable = os.path.isdir(MEMORY) and os.access(MEMORY, os.W_OK | os.X_OK)
    if not usable or os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        return tempfile.gettempdir()
    return MEMORY if shutil.disk_usage(MEMORY).free > ROOM else tempfile.gettempdir()
