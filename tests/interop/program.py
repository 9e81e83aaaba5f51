"""An executor of the story by either library, told what to do by lines of JSON.

A line is [verb, *arguments]; the answer is [status, value].
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from tests.interop import numbers_story, story
from tests.interop.story import DBOS, library


def told(name: str) -> Any:
    """A workflow of the story, by its name."""
    return getattr(story, name, None) or getattr(numbers_story, name)


def start(name: str, workflow_id: str, *args: Any) -> None:
    with library.SetWorkflowID(workflow_id):
        DBOS.start_workflow(told(name), *args)


def call(name: str, workflow_id: str) -> Any:
    """Call a workflow directly, or await it, to its end."""
    function = told(name)

    async def awaited() -> Any:
        with library.SetWorkflowID(workflow_id):
            return await function()

    if asyncio.iscoroutinefunction(function):
        return asyncio.run(awaited())
    with library.SetWorkflowID(workflow_id):
        return function()


def enqueue(queue: str, name: str, workflow_id: str, *args: Any) -> None:
    with library.SetWorkflowID(workflow_id):
        DBOS.enqueue_workflow(queue, told(name), *args)


def result(workflow_id: str) -> Any:
    return DBOS.retrieve_workflow(workflow_id).get_result()


VERBS = {
    "start": start,
    "call": call,
    "enqueue": enqueue,
    "result": result,
    "event": lambda *args: DBOS.get_event(*args),
    "stream": lambda *args: list(DBOS.read_stream(*args)),
    "send": lambda *args: DBOS.send(*args),
    "cancel": lambda *args: DBOS.cancel_workflow(*args),
    "resume": lambda run, queue=None: DBOS.resume_workflow(run, queue_name=queue) and None,
    "fork": lambda *args: DBOS.fork_workflow(*args).workflow_id,
    "queue": lambda name: DBOS.register_queue(name, polling_interval_sec=0.05) and None,
}


def answer(line: str) -> list[Any]:
    verb, *arguments = json.loads(line)
    try:
        return ["OK", VERBS[verb](*arguments)]
    except Exception as error:
        return [type(error).__name__, str(error)]


def tell(values: list[Any]) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def main() -> None:
    config = json.loads(os.environ["STORY_CONFIG"])
    queues = config.pop("queues", None)
    DBOS(config=config)
    if queues is not None:
        DBOS.listen_queues(queues)
    DBOS.launch()
    tell(["READY", story.LIBRARY])
    for line in sys.stdin:
        tell(answer(line))
    DBOS.destroy()


if __name__ == "__main__":
    main()
