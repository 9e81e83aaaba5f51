"""Supervisor of worker processes: it restarts a child that ends.

Each child reads a pipe that only the parent can write. When the parent dies, in whatever way, the
pipe ends and its children stop. A reaped child is certainly dead: its workflows are freed at once.
"""

from __future__ import annotations

import logging
import subprocess
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

MarkDead = Callable[[ProcessIdentity], object]


@dataclass(slots=True)
class Child:
    """One supervised process. Its restart delay doubles while it keeps ending early."""

    command: Sequence[str]
    on_child_dead: MarkDead
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
        self.starts += 1
        # In a session of its own: the terminal sends Ctrl-C to the parent, which passes it on.
        self.process = subprocess.Popen(  # noqa: S603  # our own command line
            self.command, stdin=subprocess.PIPE, start_new_session=True
        )
        pid = self.process.pid
        self.identity = replace(this_process(), pid=pid, process_started=process_started(pid))

    def _ended(self, now: float, code: int) -> None:
        self.last_code = code
        if now - self.started_at > HEALTHY_AFTER:
            self.pause = FIRST_PAUSE
        self.not_before = max(self.not_before, now + self.pause)
        self.pause = min(self.pause * 2, LONGEST_PAUSE)
        log.warning("worker %s ended with %d", self.identity and self.identity.pid, code)
        if self.process and self.process.stdin:
            self.process.stdin.close()
        self.process = None
        self._free()

    def _free(self) -> None:
        """Report the end; after a failure to do so the lease frees the workflows later."""
        if self.identity is None:
            return
        try:
            self.on_child_dead(self.identity)
        except Exception as error:
            log.warning("could not record the end of worker %d: %s", self.identity.pid, error)


def supervise(
    commands: Sequence[Sequence[str]], stop: StopRequests, *, grace: float, on_child_dead: MarkDead
) -> bool:
    """Keep the commands running until a stop is requested; then ask them to stop, and wait.

    A second request is passed on to the children. After `grace` seconds and KILL_AFTER_GRACE they
    are killed. `on_child_dead` gets the identity of each child that has ended. Returns False if a
    command could not start at all: then all are stopped, and none is started again.
    """
    children = [Child(command, on_child_dead) for command in commands]
    can_start = True
    while can_start:
        for child in children:
            child.check(time.monotonic())
        can_start = not any(child.could_not_start for child in children)
        if stop.wait(CHECK_EVERY_S):
            break
    deadline = time.monotonic() + grace + KILL_AFTER_GRACE
    for child in children:
        child.not_before = float("inf")
        child.ask_to_stop()
    while any(child.process for child in children):
        is_urgent = stop.wait(CHECK_EVERY_S)
        now = time.monotonic()
        for child in children:
            if is_urgent:
                child.ask_to_stop()
            if now > deadline:
                child.kill()
            child.check(now)
    return can_start
