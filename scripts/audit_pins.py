"""Ask for known vulnerabilities of the pinned packages, where the answer can be had.

Exits with 1 for a vulnerability. Without pip-audit, or without a network, it says so and exits
with 0: what cannot be asked must not stop other checks.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

PINS = Path(__file__).resolve().parent.parent / "requirements.txt"
# pip-audit exits with 1 for what it found and for what failed; this it writes only for the former.
FOUND = "known vulnerabilit"
PATIENCE_S = 120


def main() -> int:
    if find_spec("pip_audit") is None:
        return _skipped("pip-audit is not installed here")
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "-r"]
    try:
        done = subprocess.run(
            [*command, str(PINS)], capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return _skipped(f"no answer within {PATIENCE_S} seconds")
    if done.returncode == 0:
        print("No known vulnerability in the pinned packages.")
        return 0
    if FOUND in done.stderr and "No known" not in done.stderr:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        return 1
    return _skipped((done.stderr.strip().splitlines() or ["it failed without a word"])[-1])


def _skipped(why: str) -> int:
    print(f"The pinned packages were not audited: {why}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
