"""What the application of these tests runs."""

from __future__ import annotations

from dboshub import DBOS, Debouncer


@DBOS.workflow(name="client_triple")
def triple(number: int) -> int:
    return number * 3


@DBOS.workflow(name="client_talk")
def talk(words: list[str]) -> str:
    DBOS.set_event("count", len(words))
    for word in words:
        DBOS.write_stream("words", word)
    DBOS.close_stream("words")
    return f"heard {DBOS.recv('topic', timeout_seconds=30)}"


@DBOS.workflow(name="client_fail")
def fail(reason: str) -> None:
    raise ValueError(reason)


@DBOS.workflow(name="client_parent")
def parent(number: int) -> str:
    handle = DBOS.enqueue_workflow_with_options(
        {"workflow_name": "client_triple", "queue_name": "jobs"}, number
    )
    return f"{handle.workflow_id}={handle.get_result()}"


@DBOS.workflow(name="client_debounces")
def debounces(*numbers: int) -> list[str]:
    debouncer = Debouncer.create(triple, queue="jobs")
    return [debouncer.debounce("key", 3600, each).workflow_id for each in numbers]


@DBOS.dbos_class()
class Shop:
    @classmethod
    @DBOS.workflow(name="client_method")
    def method(cls) -> None: ...
