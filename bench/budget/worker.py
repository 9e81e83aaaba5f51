"""The worker that is measured: each workflow returns when this process passed which place."""

from __future__ import annotations

import argparse

import psycopg

from bench.budget.notes import Notes
from bench.engine.programs.common import QUEUE, configured, until_end_of_input
from dboshub.queues.storage.store import QueueStore
from dboshub.workflows.engine.runtime.background_run import BackgroundRun
from dboshub.workflows.engine.waiting.notices import Notices

HEARD = "the worker has the notice"
CLAIMING = "its dispatcher begins to claim"
SENT = "the claim is sent"
CLAIMED = "the claim is durable, and here"
THREAD = "a thread has the workflow"
BEGUN = "the body begins"
PLACES = (HEARD, CLAIMING, SENT, CLAIMED, THREAD, BEGUN)


def main() -> None:
    notes = Notes()
    notes.around(Notices, "receive", HEARD)
    notes.around(QueueStore, "claim", CLAIMING)
    notes.around(psycopg.Cursor, "execute", SENT, CLAIMED, of=b"SET status = 'PENDING'")
    notes.around(BackgroundRun, "begin", THREAD)
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("library")
    arguments.add_argument("url")
    library = configured(arguments.parse_args())

    @library.DBOS.workflow(name="budgeted")
    def budgeted() -> dict[str, float]:
        notes.note(BEGUN)
        return notes.taken()

    library.DBOS.launch()
    library.DBOS.register_queue(QUEUE)
    until_end_of_input()


if __name__ == "__main__":
    main()
