"""A process with a heartbeat: `python -m tests.workflows.executors.process URL LEASE_MS ROWS`.

It prints its incarnation and the ids of the workflows it owns, then lives until it is killed;
every incarnation it takes later is printed too.
"""

from __future__ import annotations

import signal
import sys
from functools import partial

from dboshub.workflows.engine.clock import DatabaseClock
from dboshub.workflows.engine.membership.heartbeat import HeartbeatLoop
from dboshub.workflows.engine.membership.incarnations import is_proven_dead, this_process
from dboshub.workflows.engine.membership.leases import Lease
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.membership.database_membership import DatabaseMembership
from dboshub.workflows.storage.membership.executors import Executor
from tests.workflows.executors.fleet import QuietHost, pending


class TalkingHost(QuietHost):
    def on_reregistered(self, incarnation: str) -> None:
        super().on_reregistered(incarnation)
        say("again", incarnation)


def make_heart(database: Database, host: QuietHost, lease: Lease) -> HeartbeatLoop:
    """A heart as the lifecycle composes it, around a host that runs nothing."""
    mine = this_process()
    executor = Executor(
        executor_id="local",
        application_name="shop",
        application_version="v1",
        process=mine,
        lease_ms=lease.lease_ms,
    )
    return HeartbeatLoop(
        DatabaseMembership(database, executor),
        host,
        lease=lease,
        clock=DatabaseClock(),
        proven_dead=partial(is_proven_dead, mine=mine),
        incarnation=host.incarnation,
    )


def say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


def main(url: str, lease_ms: str, rows: str) -> None:
    database = open_database(url)
    host = TalkingHost()
    make_heart(database, host, Lease.of_seconds(int(lease_ms) / 1000, None)).start()
    with database.writing() as session:
        ids = [pending(session, host.token()) for _ in range(int(rows))]
    host.running.update(ids)
    say(host.incarnation, *ids)
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
