"""What the figures were measured on and with."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("dbos", "psycopg", "Django", "SQLAlchemy")


def facts() -> dict[str, str]:
    """Names and values for the head of the table and for JSON."""
    return {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{os.cpu_count()} cores, {_processor()}, {_memory_gib()} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "load before": " ".join(f"{each:.1f}" for each in os.getloadavg()),
        "Python": platform.python_version(),
        "commit": _commit(),
        **{name: version(name) for name in PACKAGES},
    }


def _commit() -> str:
    """The commit, "-dirty" if more was changed since than what other benchmarks recorded."""
    found = _git("describe", "--always")
    changed = _git("diff", "HEAD", "--name-only", "--", ":!docs", ":!bench/results")
    return f"{found or 'unknown'}{'-dirty' if changed else ''}"


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gib() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
