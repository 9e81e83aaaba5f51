"""Who a process is, and whether another one on this machine is still alive.

A pid alone is no evidence: it is reused, and it means something else in another container
or after a reboot. Only with boot id, pid namespace and start time does it name one process.
"""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path

TOKEN_PREFIX = "hub:"  # noqa: S105  # of ownership tokens, which are no secrets
PROTOCOL = 1  # of the hub's own tables: two releases can run side by side

_STATE, _THREADS, _STARTED = 0, 17, 19  # fields of /proc/<pid>/stat after the name


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """What names one process for ever; empty strings where the system does not say."""

    hostname: str
    pid: int
    boot_id: str = ""
    pid_namespace: str = ""
    process_started: str = ""


def this_process(proc: Path = Path("/proc")) -> ProcessIdentity:
    """Read this process's identity; without a /proc only host name and pid are known."""
    pid = os.getpid()
    return ProcessIdentity(
        hostname=socket.gethostname(),
        pid=pid,
        boot_id=_text(proc / "sys/kernel/random/boot_id"),
        pid_namespace=_link(proc / "self/ns/pid"),
        process_started=process_started(pid, proc),
    )


def process_started(pid: int, proc: Path = Path("/proc")) -> str:
    """When the process began, in clock ticks since boot; "" if there is none by that pid."""
    stat = _text(proc / str(pid) / "stat")
    # The name may contain spaces and brackets; what follows the last one is plain.
    fields = stat.rpartition(")")[2].split()
    if len(fields) <= _STARTED:
        return ""
    # A zombie is dead already, but its pid stays until its parent has asked for it. With
    # threads left only its main thread has ended.
    if fields[_STATE] in ("Z", "X", "x") and fields[_THREADS] in ("0", "1"):
        return ""
    return fields[_STARTED]


def is_proven_dead(
    other: ProcessIdentity, mine: ProcessIdentity, proc: Path = Path("/proc")
) -> bool:
    """Say whether `other` ran where this process can see it, and runs no more."""
    comparable = (
        bool(mine.boot_id and mine.pid_namespace and other.process_started)
        and mine.boot_id == other.boot_id
        and mine.pid_namespace == other.pid_namespace
    )
    if not comparable or process_started(other.pid, proc) == other.process_started:
        return False
    # /proc may hide other users' processes (hidepid): no answer there is no evidence.
    return bool(_text(proc / str(other.pid) / "stat")) or not _answers(other.pid)


def new_incarnation() -> str:
    """A name for one registration of one process; it never comes back."""
    return uuid.uuid4().hex


def token_prefix(incarnation: str) -> str:
    """What every ownership token of an incarnation begins with."""
    return f"{TOKEN_PREFIX}{incarnation}:"


def _answers(pid: int) -> bool:
    """Whether there is a process by that pid, also one of another user."""
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
