"""Child processes under one parent, which starts again what crashes. No Django here.

However the parent dies, its children end: one that reads its standard input finds the end of a
pipe that only the parent can write, and to any other Linux sends SIGTERM.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

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
KILL_AFTER_GRACE = 10.0
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of a child: a code below zero is the number of a signal."""

    process: ProcessIdentity
    code: int
    pause_s: float

    @property
    def reason(self) -> str:
        return f"exit code {self.code}" if self.code >= 0 else signal.Signals(-self.code).name


@dataclass(slots=True)
class Child:
    """One process kept running; while it keeps crashing, the restart delay doubles.

    `on_exit` is called after each end; what it raises is logged. A child that does not
    `read_input` is told of its parent's death by a signal.
    """

    command: Sequence[str]
    on_exit: Callable[[Exit], object]
    reads_input: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    identity: ProcessIdentity | None = None
    started_at: float = 0.0
    not_before: float = 0.0
    pause: float = FIRST_PAUSE

    def check(self, now: float) -> None:
        """Start it if it is time, or report its end."""
        if self.process is None and now >= self.not_before:
            self._start(now)
        elif self.process is not None and self.process.poll() is not None:
            self._ended(now, self.process.returncode)

    def ask_to_stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()

    def _start(self, now: float) -> None:
        self.started_at = now
        # A session of its own: the terminal's Ctrl-C reaches the parent alone, which passes it on.
        self.process = subprocess.Popen(  # noqa: S603  # our own command line
            self.command,
            stdin=subprocess.PIPE if self.reads_input else subprocess.DEVNULL,
            env={**os.environ, **self.environment},
            start_new_session=True,
            preexec_fn=None if self.reads_input else _end_with_parent(),
        )
        pid = self.process.pid
        self.identity = replace(this_process(), pid=pid, process_started=process_started(pid))

    def _ended(self, now: float, code: int) -> None:
        if now - self.started_at > HEALTHY_AFTER:
            self.pause = FIRST_PAUSE
        pause = self.pause
        self.not_before = max(self.not_before, now + pause)
        self.pause = min(pause * 2, LONGEST_PAUSE)
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
) -> None:
    """Keep the children running until asked to stop, then end them within `grace` seconds.

    A second request is passed on to the children, or kills them. Ten seconds after the grace
    period all are killed.
    """
    while True:
        for child in children:
            child.check(time.monotonic())
        if stop.wait(CHECK_EVERY_S):
            break
    on_stop()
    deadline = time.monotonic() + grace + KILL_AFTER_GRACE
    for child in children:
        child.not_before = float("inf")
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
