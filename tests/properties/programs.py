"""Random programs of durable calls, the workflow that runs them, and what a run leaves behind."""

from __future__ import annotations

import threading
from typing import Any

from hypothesis import strategies as st

from dboshub import DBOS, Queue, SendMessage, WorkflowCall
from dboshub.workflows.engine.records import INTERNAL_QUEUE

Call = tuple[Any, ...]
queue = Queue("property-programs", worker_concurrency=50)
effects: list[tuple[str, int]] = []  # every execution of a step: its workflow and its number
_lock = threading.Lock()

_number = st.integers(0, 9)
_key = st.sampled_from(["a", "b"])
_leaf = st.one_of(
    st.tuples(st.sampled_from(["step", "failing", "send", "send_each"]), _number),
    st.tuples(st.sampled_from(["set_event", "stream"]), _key, _number),
    st.tuples(st.just("get_event"), _key),
    st.tuples(st.sampled_from(["sleep", "recv", "anonymous"])),
)


def _with_children(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    kinds, bulk = (
        st.sampled_from(["child", "start", "enqueue"]),
        st.sampled_from(["starts", "enqueues"]),
    )
    program = st.lists(inner, max_size=3)
    many = st.lists(st.lists(inner, max_size=1), max_size=5)
    return st.one_of(_leaf, st.tuples(kinds, program), st.tuples(bulk, many, st.booleans()))


programs: st.SearchStrategy[list[Call]] = st.lists(
    st.recursive(_leaf, _with_children, max_leaves=4), min_size=1, max_size=6
)


@DBOS.step()
def add_one(number: int) -> int:
    _note()
    return number + 1


@DBOS.step()
def failing(number: int) -> int:
    _note()
    raise ValueError(number)


@DBOS.workflow(name="properties.interpret")
def interpret(program: list[Call]) -> list[Any]:
    """Make each call of a program; what each of them gave."""
    return [_made(*call) for call in program]


def _made(name: str, *args: Any) -> Any:
    me = str(DBOS.workflow_id)
    match name:
        case "step":
            return add_one(*args)
        case "failing":
            try:
                return failing(*args)
            except ValueError as error:
                return repr(error)
        case "send":
            return DBOS.send(me, *args, topic="letters")
        case "send_each":
            messages = [SendMessage(each, *args, topic="letters") for each in (me, "nobody")]
            return [*map(repr, DBOS.send_bulk(messages, atomic=False))]
        case "recv":
            return DBOS.recv("letters", timeout_seconds=0)
        case "get_event":
            return DBOS.get_event(me, *args, timeout_seconds=0)
        case "child" | "start" | "enqueue" | "starts" | "enqueues":
            return _given_by_children(name, *args)
    return _told(name, *args)


def _given_by_children(name: str, programs: list[Any], atomic: bool = False) -> Any:
    match name:
        case "child":
            return interpret(programs)
        case "start":
            return DBOS.start_workflow(interpret, programs).get_result()
        case "enqueue":
            return queue.enqueue(interpret, programs).get_result()
    bulk = DBOS.start_workflows if name == "starts" else queue.enqueue_workflows
    answers: list[Any] = bulk([WorkflowCall(interpret, each) for each in programs], atomic=atomic)
    return [each.get_result() for each in answers]


def _told(name: str, *args: Any) -> None:
    match name:
        case "sleep":
            DBOS.sleep(0.002)
        case "set_event":
            DBOS.set_event(*args)
        case "stream":
            DBOS.write_stream(*args)
        case "anonymous":
            DBOS.run_step(None, lambda: None)


def left_by(workflow_id: str) -> dict[str, Any]:
    """Everything that a run and its children recorded, their ids and times left out."""
    DBOS.get_result(workflow_id)
    return {
        run.workflow_id.removeprefix(workflow_id): {
            "outcome": (run.status, run.output, run.name, _queue_of(run)),
            "steps": [
                (step["function_id"], step["function_name"], *_result_of(step, workflow_id))
                for step in DBOS.list_workflow_steps(run.workflow_id)
            ],
            "events": DBOS.get_all_events(run.workflow_id),
            "streams": [[*DBOS.read_stream(run.workflow_id, key)] for key in "ab"],
        }
        for run in DBOS.list_workflows(workflow_id_prefix=workflow_id)
    }


def _queue_of(run: Any) -> str | None:
    """Where it was enqueued: what was on no queue goes on by the internal one."""
    return None if run.queue_name == INTERNAL_QUEUE else run.queue_name


def _result_of(step: Any, workflow_id: str) -> tuple[Any, ...]:
    child = step["child_workflow_id"]
    output = None if step["function_name"] == "DBOS.sleep" else step["output"]
    return repr(step["error"]), output, child and child.removeprefix(workflow_id)


def _note() -> None:
    with _lock:
        effects.append((str(DBOS.workflow_id), int(DBOS.step_id or 0)))
