"""Supervisor of child processes: it restarts a child that ends. No Django here.

However the parent dies, its children stop. One that reads its standard input finds the end of a
pipe that only the parent can write; any other gets SIGTERM from Linux.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dboshub.runtime.stop_requests import StopRequests
from dboshub.workflows.engine.membership.incarnations import (
    ProcessIdentity,
    process_started,
    this_process,
)

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
HEALTHY_AFTER = 60.0
CHECK_EVERY_S = 0.2
# The exit code of a worker that cannot start until somebody changes its code or configuration.
CANNOT_START = 3
KILL_AFTER_GRACE = 10.0
PR_SET_PDEATHSIG = 1
# Of processes, memory or file descriptors.
SHORTAGES = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE}


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of a child. A code below zero is the number of a signal."""

    process: ProcessIdentity
    code: int
    pause_s: float | None  # until it is started again; None if it is not, as all stop

    @property
    def reason(self) -> str:
        return f"exit code {self.code}" if self.code >= 0 else signal.Signals(-self.code).name


@dataclass(slots=True)
class Child:
    """One supervised process. Its restart delay doubles while it keeps ending early.

    `on_exit` is called after each end; an error it raises is logged. Without `reads_input` the
    process gets no pipe, and a signal when its parent dies.
    """

    command: Sequence[str]
    on_exit: Callable[[Exit], object]
    reads_input: bool = True
    process: subprocess.Popen[bytes] | None = None
    identity: ProcessIdentity | None = None
    started_at: float = 0.0
    not_before: float = 0.0
    pause: float = FIRST_PAUSE
    starts: int = 0
    last_code: int | None = None

    @property
    def could_not_start(self) -> bool:
        """Whether its first start was refused; later ones may fail in the middle of an upgrade."""
        return self.starts == 1 and self.last_code == CANNOT_START

    def check(self, now: float) -> None:
        """Start the process if its delay has passed; after its end, report that."""
        if self.process is None and now >= self.not_before:
            self._try_to_start(now)
        elif self.process is not None and self.process.poll() is not None:
            self._ended(now, self.process.returncode)

    def ask_to_stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()

    def _try_to_start(self, now: float) -> None:
        """Start the process, or try again later if the machine lacks what that takes."""
        try:
            self._start(now)
        except OSError as error:
            if error.errno not in SHORTAGES:
                raise
            self.starts -= 1
            log.warning("a process cannot be started and is tried again: %s", error)
            self._delay(now)

    def _delay(self, now: float) -> float:
        """Put the next start off by the pause, which is returned and then doubled."""
        pause = self.pause
        self.not_before = max(self.not_before, now + pause)
        self.pause = min(pause * 2, LONGEST_PAUSE)
        return pause

    def _start(self, now: float) -> None:
        self.started_at = now
        self.starts += 1
        # In a session of its own: the terminal sends Ctrl-C to the parent, which passes it on.
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE if self.reads_input else subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=None if self.reads_input else _end_with_parent(),
        )
        pid = self.process.pid
        self.identity = replace(this_process(), pid=pid, process_started=process_started(pid))

    def _ended(self, now: float, code: int) -> None:
        self.last_code = code
        if now - self.started_at > HEALTHY_AFTER:
            self.pause = FIRST_PAUSE
        pause = self._delay(now) if self.not_before < math.inf else None
        if self.process and self.process.stdin:
            self.process.stdin.close()
        self.process = None
        if self.identity is None:
            return
        try:
            self.on_exit(Exit(self.identity, code, pause))
        except Exception as error:
            log.warning("could not record the end of process %d: %s", self.identity.pid, error)


def supervise(
    children: Sequence[Child],
    stop: StopRequests,
    *,
    grace: float,
    on_stop: Callable[[], object] = lambda: None,
    kills_on_second_request: bool = False,
) -> bool:
    """Keep the children running until a stop is requested; then ask them to stop, and wait.

    A second request is passed on to the children, or kills them. After `grace` seconds and
    KILL_AFTER_GRACE they are killed. `on_stop` is called with the first request. Returns False if
    a child could not start at all: then all are stopped, and none is started again.
    """
    can_start = True
    while can_start:
        for child in children:
            child.check(time.monotonic())
        can_start = not any(child.could_not_start for child in children)
        if stop.wait(CHECK_EVERY_S):
            on_stop()
            break
    deadline = time.monotonic() + grace + KILL_AFTER_GRACE
    for child in children:
        child.not_before = math.inf
        child.ask_to_stop()
    while any(child.process for child in children):
        is_urgent = stop.wait(CHECK_EVERY_S)
        now = time.monotonic()
        for child in children:
            if now > deadline or (is_urgent and kills_on_second_request):
                child.kill()
            elif is_urgent:
                child.ask_to_stop()
            child.check(now)
    return can_start


def _end_with_parent() -> Callable[[], None] | None:
    """Ask Linux to stop a child whose parent was killed; elsewhere there is no such request."""
    if not sys.platform.startswith("linux"):
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            # The parent was killed before the request: no signal will come.
            os._exit(1)

    return ask
