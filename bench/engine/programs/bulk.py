"""Workflows or messages per second by bulk calls; with --one-by-one, by calls for one each.

What is enqueued waits: nobody claims it. What is started runs meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.engine.programs.common import QUEUE, configured, parser, repeat, tell

SIZE = 500
Call = Callable[[], Any]


def calls(library: Any, workflow: Any, *, one_by_one: bool) -> dict[str, Callable[[], Call]]:
    """For each kind of work what makes its call, once the library is launched."""
    api = library.DBOS

    def enqueue() -> Call:
        if one_by_one:
            return lambda: api.enqueue_workflow(QUEUE, workflow)
        return lambda: api.enqueue_workflows(QUEUE, [library.WorkflowCall(workflow)] * SIZE)

    def start() -> Call:
        if one_by_one:
            return lambda: api.start_workflow(workflow)
        return lambda: api.start_workflows([library.WorkflowCall(workflow)] * SIZE)

    def send() -> Call:
        destination = api.start_workflow(workflow).workflow_id
        if one_by_one:
            return lambda: api.send(destination, 1)
        return lambda: api.send_bulk([library.SendMessage(destination, 1)] * SIZE)

    return {"enqueue": enqueue, "start": start, "send": send}


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("what", choices=["enqueue", "start", "send"])
    arguments.add_argument("--one-by-one", action="store_true")
    options = arguments.parse_args()
    library = configured(options)

    @library.DBOS.workflow()
    def nothing() -> None:
        pass

    library.DBOS.launch()
    call = calls(library, nothing, one_by_one=options.one_by_one)[options.what]()
    tell(repeat(call, options.seconds, count=1 if options.one_by_one else SIZE))


if __name__ == "__main__":
    main()
