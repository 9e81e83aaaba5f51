"""Identity of a process, and whether another process on this machine is alive.

A pid alone proves nothing: it is reused, and it names another process in another container or
after a reboot. Boot id, pid namespace, pid and start time together name one process.
"""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path

OWNER_PREFIX = "hub:"
PROTOCOL = 1  # version of the hub's own tables, so that two releases can share them

_STATE, _THREADS, _STARTED = 0, 17, 19  # fields of /proc/<pid>/stat after the name


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """Names one process, and never another; unknown fields are empty."""

    hostname: str
    pid: int
    boot_id: str = ""
    pid_namespace: str = ""
    process_started: str = ""


def this_process(proc: Path = Path("/proc")) -> ProcessIdentity:
    """The identity of this process. Without /proc only host name and pid are known."""
    pid = os.getpid()
    return ProcessIdentity(
        hostname=socket.gethostname(),
        pid=pid,
        boot_id=_text(proc / "sys/kernel/random/boot_id"),
        pid_namespace=_link(proc / "self/ns/pid"),
        process_started=process_started(pid, proc),
    )


def process_started(pid: int, proc: Path = Path("/proc")) -> str:
    """Start time of a process in clock ticks since boot; "" if no process has this pid."""
    stat = _text(proc / str(pid) / "stat")
    # The name may contain spaces and brackets; the fields follow its last bracket.
    fields = stat.rpartition(")")[2].split()
    if len(fields) <= _STARTED:
        return ""
    # A zombie has ended, but keeps its pid until its parent reaps it. If it has threads left,
    # only its main thread has ended.
    if fields[_STATE] in ("Z", "X", "x") and fields[_THREADS] in ("0", "1"):
        return ""
    return fields[_STARTED]


def is_proven_dead(
    other: ProcessIdentity, mine: ProcessIdentity, proc: Path = Path("/proc")
) -> bool:
    """Whether `other` ran where this process can observe it, and has ended."""
    comparable = (
        bool(mine.boot_id and mine.pid_namespace and other.process_started)
        and mine.boot_id == other.boot_id
        and mine.pid_namespace == other.pid_namespace
    )
    if not comparable or process_started(other.pid, proc) == other.process_started:
        return False
    # /proc may hide the processes of other users (hidepid): a missing entry proves nothing.
    return bool(_text(proc / str(other.pid) / "stat")) or not _answers(other.pid)


def new_incarnation() -> str:
    """A new id for one registration of one process."""
    return uuid.uuid4().hex


def token_prefix(incarnation: str) -> str:
    """The prefix of all ownership tokens of an incarnation."""
    return f"{OWNER_PREFIX}{incarnation}:"


def incarnation_of(token: str) -> str | None:
    """The incarnation that an ownership token names; None for tokens of other programs."""
    return token.split(":")[1] if token.startswith(OWNER_PREFIX) else None


def _answers(pid: int) -> bool:
    """Whether a process of any user has this pid."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
