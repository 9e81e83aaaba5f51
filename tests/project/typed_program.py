"""A program as users write it, for a type checker alone: it is never run.

What is wrong in it says so, and a checker that finds it right complains of the comment.
"""

from __future__ import annotations

from typing import Any, assert_type

from dboshub import (
    DBOS,
    AsyncSQLAlchemyDatasource,
    DBOSClient,
    DBOSConfiguredInstance,
    Debouncer,
    Queue,
    SendMessage,
    SQLAlchemyDatasource,
    WorkflowCall,
    WorkflowHandle,
    WorkflowHandleAsync,
    WorkflowStatus,
)


def blocking(client: DBOSClient) -> None:
    assert_type(DBOS.send("w", {"any": 1}, topic="t"), None)
    assert_type(DBOS.workflow_id, str | None)
    assert_type(DBOS.retrieve_workflow("w"), WorkflowHandle[Any])
    assert_type(DBOS.list_workflows(status="ERROR", limit=1), list[WorkflowStatus])
    assert_type(client.list_workflows(status="ERROR", limit=1), list[WorkflowStatus])
    assert_type(client.resume_workflows(["w"]), list[WorkflowHandle[Any]])
    assert_type(client.retrieve_queue("jobs"), Queue | None)


def blocking_wrongly(client: DBOSClient) -> None:
    DBOS.send("w")  # type: ignore[call-arg]
    DBOS.list_workflows(limit="all")  # type: ignore[arg-type]
    DBOS.sned("w", 1)  # type: ignore[attr-defined]
    client.send(1, "message")  # type: ignore[arg-type]
    client.list_workflows(nobody="x")  # type: ignore[call-arg]
    client.sned("w", 1)  # type: ignore[attr-defined]


async def awaiting(client: DBOSClient) -> None:
    assert_type(await DBOS.send_async("w", {"any": 1}, topic="t"), None)
    assert_type(await DBOS.start_workflow_async(print, 1), WorkflowHandleAsync[None])
    assert_type(await DBOS.resume_workflows_async(["w"]), list[WorkflowHandleAsync[Any]])
    assert_type(await client.send_async("w", 1, None, "only once"), None)
    assert_type(await client.list_workflows_async(limit=1), list[WorkflowStatus])
    assert_type(
        await client.enqueue_async({"workflow_name": "w", "queue_name": "jobs"}),
        WorkflowHandleAsync[Any],
    )


async def awaiting_wrongly(client: DBOSClient) -> None:
    await DBOS.send_async(1)  # type: ignore[arg-type, call-arg]
    await DBOS.sleep_async("long")  # type: ignore[arg-type]
    await DBOS.sned_async("w", 1)  # type: ignore[attr-defined]
    await client.send_async(1)  # type: ignore[arg-type, call-arg]
    await client.fork_workflow_async("w")  # type: ignore[call-arg]
    await client.enqueue_async({"queue_name": "jobs"})  # type: ignore[typeddict-item]


async def limiting(queue: Queue) -> None:
    assert_type(queue.concurrency, int | None)
    assert_type(await queue.get_polling_interval_sec_async(), float)
    queue.set_concurrency(value=3)
    await queue.set_limiter_async({"limit": 3, "period": 2})
    queue.set_concurrency("three")  # type: ignore[arg-type]
    queue.concurrency = 3  # type: ignore[assignment]
    _ = queue.conurrency  # type: ignore[attr-defined]


@DBOS.workflow()
def shout(times: int, *, loud: bool = False) -> str:
    return "!" * times if loud else ""


@DBOS.workflow()
async def whisper(times: int) -> str:
    return "." * times


class Mailer(DBOSConfiguredInstance):
    @DBOS.step()
    def send(self, to: str) -> int:
        return len(to)


def starting(queue: Queue, mailer: Mailer) -> None:
    assert_type(DBOS.start_workflow(shout, 1, loud=True), WorkflowHandle[str])
    assert_type(DBOS.start_workflow(whisper, 1).get_result(), str)
    assert_type(DBOS.start_workflow("by name", object()), WorkflowHandle[Any])
    assert_type(queue.enqueue(shout, 1), WorkflowHandle[str])
    assert_type(queue.enqueue(whisper, 1), WorkflowHandle[str])
    assert_type(queue.enqueue(mailer.send, "ada"), WorkflowHandle[int])
    assert_type(DBOS.enqueue_workflow("jobs", whisper, 1), WorkflowHandle[str])
    assert_type(DBOS.run_step(None, shout, 1), str)
    assert_type(DBOS.run_step({"name": "named"}, whisper, 1), str)
    assert_type(DBOS.reserve_step().run(None, whisper, 1), str)


def starting_wrongly(queue: Queue, mailer: Mailer) -> None:
    DBOS.start_workflow(shout, "1")  # type: ignore[call-overload]
    DBOS.start_workflow(shout, 1, slow=True)  # type: ignore[call-arg, arg-type]
    DBOS.start_workflow(whisper)  # type: ignore[call-overload]
    queue.enqueue(shout, "1")  # type: ignore[call-overload]
    queue.enqueue(mailer.send, 1)  # type: ignore[call-overload]
    DBOS.enqueue_workflow("jobs", shout, "1")  # type: ignore[call-overload]
    DBOS.enqueue_workflow(shout, 1)  # type: ignore[call-overload]
    DBOS.run_step(None, shout, "1")  # type: ignore[call-overload]
    DBOS.reserve_step().run(None, whisper, "1")  # type: ignore[call-overload]


async def starting_awaited(queue: Queue) -> None:
    assert_type(await DBOS.start_workflow_async(whisper, 1), WorkflowHandleAsync[str])
    assert_type(await queue.enqueue_async(shout, 1), WorkflowHandleAsync[str])
    assert_type(await queue.enqueue_async(whisper, 1), WorkflowHandleAsync[str])
    assert_type(await DBOS.enqueue_workflow_async("jobs", whisper, 1), WorkflowHandleAsync[str])
    assert_type(await DBOS.run_step_async(None, shout, 1), str)
    assert_type(await DBOS.run_step_async(None, whisper, 1), str)
    assert_type(await DBOS.reserve_step().run_async(None, whisper, 1), str)


async def starting_awaited_wrongly(queue: Queue) -> None:
    await DBOS.start_workflow_async(whisper, "1")  # type: ignore[call-overload]
    await queue.enqueue_async(shout, "1")  # type: ignore[call-overload]
    await DBOS.enqueue_workflow_async("jobs", whisper, "1")  # type: ignore[call-overload]
    await DBOS.run_step_async(None, whisper, "1")  # type: ignore[call-overload]
    await DBOS.reserve_step().run_async(None, shout, "1")  # type: ignore[call-overload]


def starting_many(client: DBOSClient, queue: Queue) -> None:
    calls = [WorkflowCall(shout, 1, loud=True).options(priority=1), WorkflowCall(whisper, 2)]
    assert_type(calls, list[WorkflowCall[str]])
    assert_type(DBOS.start_workflows(calls), list[WorkflowHandle[str] | Exception])
    assert_type(DBOS.start_workflows(calls, atomic=True), list[WorkflowHandle[str]])
    assert_type(DBOS.enqueue_workflows("jobs", calls, atomic=True), list[WorkflowHandle[str]])
    assert_type(queue.enqueue_workflows(calls), list[WorkflowHandle[str] | Exception])
    assert_type(queue.enqueue_workflows(calls, atomic=True), list[WorkflowHandle[str]])
    assert_type(DBOS.send_bulk([SendMessage("w", 1)]), None)
    assert_type(DBOS.send_bulk([SendMessage("w", 1)], atomic=False), list[Exception | None])
    named = [WorkflowCall("by name", object())]
    assert_type(client.enqueue_workflows("jobs", named, atomic=True), list[WorkflowHandle[Any]])


def starting_many_wrongly(client: DBOSClient, queue: Queue) -> None:
    WorkflowCall(shout, "1")  # type: ignore[call-overload]
    WorkflowCall(shout, 1).options(urgent=True)  # type: ignore[call-arg]
    WorkflowCall(shout, 1).options(priority="high")  # type: ignore[arg-type]
    DBOS.enqueue_workflows([WorkflowCall(shout, 1)])  # type: ignore[call-overload]
    queue.enqueue_workflows([shout])  # type: ignore[arg-type]


async def starting_many_awaited(client: DBOSClient, queue: Queue) -> None:
    calls = [WorkflowCall(whisper, 1)]
    assert_type(
        await DBOS.start_workflows_async(calls, atomic=True), list[WorkflowHandleAsync[str]]
    )
    assert_type(
        await client.enqueue_workflows_async("jobs", calls),
        list[WorkflowHandleAsync[str] | Exception],
    )
    assert_type(
        await queue.enqueue_workflows_async(calls, atomic=True), list[WorkflowHandleAsync[str]]
    )


def debouncing_and_transactions(source: SQLAlchemyDatasource) -> None:
    assert_type(Debouncer.create(shout).debounce("key", 1, 1), WorkflowHandle[str])
    assert_type(Debouncer.create(whisper).debounce("key", 1, 1), WorkflowHandle[str])
    assert_type(source.run_tx_step(None, shout, 1), str)


def debouncing_and_transactions_wrongly(source: SQLAlchemyDatasource) -> None:
    Debouncer.create(shout).debounce("key", 1, "1")  # type: ignore[arg-type]
    Debouncer.create(whisper).debounce("key", 1)  # type: ignore[call-arg]
    source.run_tx_step(None, shout, "1")  # type: ignore[arg-type]


async def debouncing_and_transactions_awaited(source: AsyncSQLAlchemyDatasource) -> None:
    debouncer = Debouncer.create(whisper)
    assert_type(await debouncer.debounce_async("key", 1, 1), WorkflowHandleAsync[str])
    assert_type(await source.run_tx_step_async(None, whisper, 1), str)
    await debouncer.debounce_async("key", 1, "1")  # type: ignore[arg-type]
    await source.run_tx_step_async(None, whisper, "1")  # type: ignore[arg-type]
    await source.run_tx_step_async(None, shout, 1)  # type: ignore[arg-type]
