"""The blocks of the page that says what a workflow is, and of the skill for agents."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from dboshub import DBOS, SetWorkflowID
from tests.docs_examples.pages import Page, echo, latest, of, returning, steps_of

ORDER_STEPS = ["charge_payment", "reserve_inventory", "ship_order"]


@of("what-is-a-workflow-1")
def test_each_step_of_an_order_is_checkpointed(page: Page) -> None:
    page.run().launch()
    with SetWorkflowID("order"):
        assert page.process_order("o-1") == {"order_id": "o-1", "status": "completed"}
    assert steps_of("order") == ORDER_STEPS


@of("what-is-a-workflow-2")
def test_a_workflow_has_the_name_it_was_given(page: Page) -> None:
    page.given("validate_amount", "charge_payment").run().launch()
    assert page.process_payment(9.5, "EUR") == ["charge_payment", 9.5, "EUR"]
    assert steps_of(latest("process_payment_v2")) == ["validate_amount", "charge_payment"]


@of("what-is-a-workflow-3", "what-is-a-workflow-4", "what-is-a-workflow-11")
def test_an_order_is_run_directly_in_the_background_and_once_per_id(page: Page) -> None:
    runs: list[str] = []
    process = DBOS.workflow(name="process_order")(lambda order: runs.append(order) or order)
    page.given(process_order=process, process_payment=process).launch().run()
    assert page.result == "order-123"
    assert runs == ["order-123"]


@of("what-is-a-workflow-5")
def test_a_batch_of_orders_goes_through_a_queue(page: Page) -> None:
    page.given(process_order=echo("process_order")).run().launch()
    assert page.process_batch(["a", "b"]) == [["process_order", "a"], ["process_order", "b"]]


@of("what-is-a-workflow-6")
def test_children_run_directly_and_in_the_background(page: Page) -> None:
    page.given("do_something_else", "perform_task").run().launch()
    with SetWorkflowID("parent"):
        assert page.parent_workflow()[1] == ["perform_task", "task2"]
    children = DBOS.list_workflows(parent_workflow_id="parent")
    assert [child.output for child in children] == [
        ["perform_task", "task1"],
        ["perform_task", "task2"],
    ]


@of("what-is-a-workflow-7")
def test_the_context_tells_who_runs_what(page: Page, fast_sleep: None) -> None:
    page.run().launch()
    assert page.my_workflow() == "done"


@of("what-is-a-workflow-8", "what-is-a-workflow-9")
def test_what_is_random_is_kept_by_steps_alone(page: Page) -> None:
    page.given("step_one", "morning_task").run().launch()
    [workflow] = [page.names[name] for name in page.names if name.endswith("_workflow")]
    with SetWorkflowID(page.block.name):
        workflow()
    kept = {"get_random_value", "get_current_hour"}
    found = set(steps_of(page.block.name)) & kept
    assert found == (kept if workflow.__name__ == "good_workflow" else set())


@of("what-is-a-workflow-10")
def test_completed_steps_are_skipped_when_a_workflow_goes_on(page: Page) -> None:
    ran: list[str] = []
    names = ("step_one", "step_two", "step_three", "step_four")
    for name in names:
        page.given(**{name: DBOS.step(name=name)(lambda name=name: ran.append(name))})
    page.run().launch()
    with SetWorkflowID("recovery"):
        page.recovery_example()
    DBOS.fork_workflow("recovery", 3).get_result()
    assert ran == [*names, "step_three", "step_four"]


@of("durable-workflow-skill-1")
def test_a_checkout_is_a_web_application(page: Page) -> None:
    page.given(
        email_service=SimpleNamespace(send=lambda *mail: None),
        payment_service=SimpleNamespace(charge=lambda amount: f"paid {amount}"),
    )
    page.serves(lambda visitor: visitor.post("/checkout?user_id=ada&amount=9.5"))
    page.run(as_main=True)
    assert page.answers == [{"payment_id": "paid 9.5"}]
    assert steps_of(latest("checkout_workflow")) == ["process_payment", "send_email"]


@of("durable-workflow-skill-2")
def test_a_task_in_the_background_is_found_by_its_id(page: Page) -> None:
    page.given(long_task=DBOS.workflow(name="long_task")(lambda task: task)).launch().run()
    assert page.result == page.handle2.get_result() == "task-123"


@of("durable-workflow-skill-3")
def test_an_id_makes_a_call_idempotent(page: Page) -> None:
    workflow = DBOS.workflow(name="checkout")(lambda user, amount: [user, amount])
    page.given(checkout_workflow=workflow, order_id=7, user_id="ada", amount=9.5).launch().run()
    assert page.result == DBOS.get_result("order-7") == ["ada", 9.5]


@of("durable-workflow-skill-4")
def test_a_sleep_is_a_step_of_its_workflow(page: Page) -> None:
    page.given(delay_seconds=0.001).launch()
    with SetWorkflowID("sleeper"):
        DBOS.workflow(name="sleeper")(lambda: page.run() and None)()
    assert steps_of("sleeper") == ["DBOS.sleep"]


@of("durable-workflow-skill-5")
def test_a_step_is_tried_five_times_with_growing_pauses(page: Page, quick_retries: None) -> None:
    calls: list[str] = []

    def get(url: str) -> Any:
        calls.append(url)
        if len(calls) < 5:
            raise ConnectionError
        return SimpleNamespace(text="a page")

    page.given(requests=SimpleNamespace(get=get)).run().launch()
    assert DBOS.workflow(name="asks")(lambda: page.unreliable_api_call())() == "a page"


@of("durable-workflow-skill-6")
def test_a_scheduled_workflow_is_told_both_times(page: Page) -> None:
    page.given(perform_cleanup=(clean := returning("clean", None))).run().launch()
    handle = DBOS.trigger_schedule("daily_cleanup")
    handle.get_result()
    assert steps_of(handle.workflow_id) == [clean.__name__.replace("<lambda>", "clean")]
    scheduled, actual = handle.get_status().input["args"]
    assert isinstance(scheduled, datetime)
    assert isinstance(actual, datetime)
    assert scheduled <= datetime.now(UTC)
    DBOS.delete_schedule("daily_cleanup")


@of("durable-workflow-skill-7")
def test_a_queue_limits_what_a_worker_runs(page: Page) -> None:
    page.given(task_workflow=DBOS.workflow(name="task")(lambda task: task), task="a task")
    page.launch().run()
    assert page.result == "a task"
    assert page.queue.worker_concurrency == 5


@of("durable-workflow-skill-8", "python-prompt-56")
def test_the_fixture_resets_the_engine_between_tests(page: Page) -> None:
    page.run()
    reset = page.reset_dbos._get_wrapped_function()
    for _ in range(2):
        reset()
        assert DBOS.list_workflows() == []
        DBOS.workflow(name="counted")(lambda: None)()
        assert len(DBOS.list_workflows()) == 1


@of("durable-workflow-skill-9")
def test_errors_are_logged(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    page.given(error="too late").run()
    assert "Error: too late" in caplog.text
