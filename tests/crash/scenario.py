"""The workflow that dies everywhere: every kind of durable call once, and a note of each effect."""

from __future__ import annotations

import threading
from typing import Any

from dboshub import DBOS, Queue

effects: list[str] = []
queue = Queue("crash-queue", worker_concurrency=4)
_lock = threading.Lock()


def effect(name: str) -> None:
    with _lock:
        effects.append(f"{DBOS.workflow_id}/{DBOS.step_id}/{name}")


@DBOS.step()
def charge(amount: int) -> int:
    effect("charge")
    return amount


@DBOS.step()
def ship(amount: int) -> str:
    effect("ship")
    return f"shipped for {amount}"


@DBOS.step()
def fail() -> None:
    effect("fail")
    raise ValueError("recorded")


@DBOS.workflow(name="crash.child")
def child(amount: int) -> int:
    return charge(amount) + 1


@DBOS.workflow(name="crash.answer")
def answer(parent: str) -> str:
    DBOS.send(parent, "an answer", "answers")
    return ship(0)


@DBOS.workflow(name="crash.story")
def story(amount: int) -> dict[str, Any]:
    charged = charge(amount)
    DBOS.set_event("charged", charged)
    DBOS.write_stream("log", "charged")
    try:
        fail()
    except ValueError as error:
        failure = str(error)
    direct = child(charged)
    background = DBOS.start_workflow(child, direct)
    queued = queue.enqueue(answer, DBOS.workflow_id)
    message = DBOS.recv("answers", 30)
    DBOS.sleep(0.02)
    DBOS.write_stream("log", "done")
    DBOS.close_stream("log")
    return {
        "shipped": ship(charged),
        "failure": failure,
        "direct": direct,
        "background": background.get_result(),
        "queued": queued.get_result(),
        "message": message,
    }


RESULT = {
    "shipped": "shipped for 5",
    "failure": "recorded",
    "direct": 6,
    "background": 7,
    "queued": "shipped for 0",
    "message": "an answer",
}
LOG = ["charged", "done"]
