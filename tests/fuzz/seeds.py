"""Random choices that can be repeated: the seed is printed, and DBOSHUB_FUZZ_SEED sets it."""

from __future__ import annotations

import os
import sys
from random import Random, SystemRandom


def seeded() -> Random:
    seed = int(os.environ.get("DBOSHUB_FUZZ_SEED") or SystemRandom().randrange(2**32))
    sys.stdout.write(f"DBOSHUB_FUZZ_SEED={seed}\n")
    return Random(seed)
