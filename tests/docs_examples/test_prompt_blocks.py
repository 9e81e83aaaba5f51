"""The blocks of the prompt on workflows, steps and how they communicate."""

from __future__ import annotations

import asyncio
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from dboshub import DBOS, SetWorkflowID
from tests.docs_examples.pages import Page, StoppedForever, echo, forever, latest, of, steps_of

SERVER = {"app": object()}


@of("python-prompt-1", "python-prompt-2", "python-prompt-3", "python-prompt-57", "python-prompt-62")
def test_a_program_configures_and_launches(page: Page) -> None:
    waiting = SimpleNamespace(Event=lambda: SimpleNamespace(wait=forever))
    page.given(**SERVER, threading=waiting)
    try:
        page.run(as_main=True)
    except StoppedForever:
        assert "threading" in page.code
    DBOS.launch()
    assert DBOS.application_version in (f"of-{page.block.name}", "1.0.0", "PATCHING_ENABLED")


@of("python-prompt-4")
def test_a_program_on_an_event_loop_waits_until_it_is_stopped(page: Page) -> None:
    class Never:
        async def wait(self) -> None:
            forever()

    page.code = page.code.replace('"name": "dbos-app"', '"name": "dbos-app", **MORE')
    page.given(MORE={"system_database_url": page.url})
    page.instead_of(asyncio=SimpleNamespace(run=asyncio.run, Event=Never))
    with pytest.raises(StoppedForever):
        page.run(as_main=True)
    assert isinstance(DBOS.list_workflows(limit=1), list)


@of("python-prompt-5", "python-prompt-9")
def test_a_workflow_runs_its_steps(page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    page.run(as_main=True)
    if "dbos_workflow" not in page.names:
        page.launch()
        page.workflow()
    assert capsys.readouterr().out.split("\n")[:2] == ["Step one completed!", "Step two completed!"]


@of("python-prompt-6")
def test_a_workflow_is_an_endpoint(page: Page) -> None:
    page.serves(lambda visitor: visitor.get("/")).run(as_main=True)
    assert page.answers == [None]
    assert steps_of(latest("dbos_workflow")) == ["step_one", "step_two"]


@of("python-prompt-7")
def test_an_endpoint_enqueues_ten_steps(page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    page.instead_of(time=SimpleNamespace(sleep=lambda seconds: None))
    page.serves(lambda visitor: visitor.get("/")).run(as_main=True)
    assert "Successfully completed 10 steps" in capsys.readouterr().out


@of("python-prompt-8")
def test_a_schedule_is_created_for_a_workflow_of_a_time_and_a_context(page: Page) -> None:
    page.launch().run()
    handle = DBOS.trigger_schedule("my-task-schedule")
    handle.get_result()
    assert isinstance(handle.get_status().input["args"][0], datetime)
    DBOS.delete_schedule("my-task-schedule")


@of("python-prompt-10")
def test_a_background_task_has_a_handle(page: Page) -> None:
    page.launch().given(input=7, output="done").run()
    assert page.output == "done"
    assert DBOS.retrieve_workflow(page.handle.workflow_id).get_result() == "done"


@of("python-prompt-11")
def test_a_workflow_knows_the_id_it_was_given(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    page.launch().run()
    assert DBOS.get_workflow_status("very-unique-id").status == "SUCCESS"


@of("python-prompt-12", "python-prompt-13")
def test_a_choice_leads_to_one_of_two_steps(page: Page) -> None:
    page.given("step_one", "step_two").run().launch()
    with SetWorkflowID(page.block.name):
        page.example_workflow(*["friend"] * ("friend" in page.code))
    assert steps_of(page.block.name)[-1] in ("step_one", "step_two")


@of("python-prompt-14", "python-prompt-49")
def test_a_timeout_is_kept_with_the_workflow(page: Page) -> None:
    page.launch().run()
    [latest] = DBOS.list_workflows(name="example_workflow", sort_desc=True, limit=1)
    assert latest.workflow_timeout_ms == 10_000


@of("python-prompt-15")
def test_a_task_runs_after_a_sleep(page: Page) -> None:
    page.given("run_task").run().launch()
    with SetWorkflowID("sleeps"):
        page.schedule_task(0.001, "a task")
    assert steps_of("sleeps") == ["DBOS.sleep", "run_task"]


@of("python-prompt-18")
def test_a_debounced_workflow_runs_with_the_last_input(page: Page) -> None:
    page.code = page.code.replace("debounce_period_sec = 60", "debounce_period_sec = 0.5")
    page.code = page.code.replace("debouncer.debounce(", "return debouncer.debounce(")
    page.launch().run()
    first = page.on_user_input_submit("ada", "a")
    last = page.on_user_input_submit("ada", "ab")
    assert first.workflow_id == last.workflow_id
    last.get_result()
    assert last.get_status().input["args"] == ("ab",)


@of("python-prompt-21")
async def test_a_coroutine_workflow_awaits_its_steps(page: Page, fast_sleep: None) -> None:
    class Session:
        status = SimpleNamespace(text=lambda: asyncio.sleep(0, "a page"))

        async def __aenter__(self) -> Any:
            return self

        async def __aexit__(self, *error: object) -> None:
            pass

        def get(self, url: str) -> Any:
            return Answer()

    class Answer(Session):
        async def __aenter__(self) -> Any:
            return self.status

    page.given(aiohttp=SimpleNamespace(ClientSession=Session))
    page.given(example_transaction=lambda body: f"kept {body}").run().launch()
    assert await page.example_workflow("friend") == "kept a page"


@of("python-prompt-22", "python-prompt-23")
async def test_steps_of_a_coroutine_run_at_once(page: Page) -> None:
    async def step(argument: str) -> str:
        return argument

    names = {f"step{n}": DBOS.step(name=f"step{n}")(step) for n in range(1, 5)}
    page.given(**names).runs_within("async def workflow():")
    page.launch()
    results = await DBOS.workflow(name=page.block.name)(page.workflow)()
    expected = [None, None] if "seq_a" in page.code else ["arg1", "arg2", "arg3", "arg4"]
    assert results == expected


@of("python-prompt-26", "python-prompt-27")
def test_a_workflow_is_told_of_a_payment(page: Page) -> None:
    workflow = DBOS.workflow(name="pays")(lambda: DBOS.recv("payment", timeout_seconds=20))
    page.given(app=page.FastAPI(), PAYMENT_STATUS="payment").run().launch()
    checkout = page.names.get("checkout_workflow", workflow)
    handle = DBOS.start_workflow(checkout)
    send = page.names.get("payment_endpoint", lambda run, word: DBOS.send(run, word, "payment"))
    send(handle.workflow_id, "paid")
    assert handle.get_result() == ("paid" if checkout is workflow else None)


@of("python-prompt-31")
def test_an_event_is_published_by_the_workflow(page: Page) -> None:
    page.given(dbos=DBOS, PAYMENT_ID="payment_id").run().launch()
    handle = DBOS.start_workflow(page.checkout_workflow)
    handle.get_result()
    assert DBOS.get_all_events(handle.workflow_id) == {"payment_id": ...}


@of("python-prompt-32")
def test_an_endpoint_answers_with_the_event_of_what_it_started(page: Page) -> None:
    workflow = DBOS.workflow(name="publishes")(lambda: DBOS.set_event("payment_id", "p-1"))
    page.given(app=page.FastAPI(), PAYMENT_ID="payment_id", checkout_workflow=workflow)
    page.run().launch()
    assert page.checkout_endpoint("key").body == b"p-1"


@of("python-prompt-35")
def test_a_stream_is_read_to_its_end(page: Page) -> None:
    page.given(example_key="key").run().launch()
    handle = DBOS.start_workflow(page.producer_workflow)
    values = [*DBOS.read_stream(handle.workflow_id, "key")]
    assert values == [{"step": 1, "data": "value1"}, {"step": 2, "data": "value2"}]


@of("python-prompt-37")
def test_a_stream_is_printed_as_it_is_read(page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    page.launch()
    handle = DBOS.start_workflow(DBOS.workflow(name="w")(lambda: DBOS.write_stream("key", "word")))
    page.given(workflow_id=handle.workflow_id, example_key="key").run()
    assert capsys.readouterr().out == "Received: word\n"


@of("python-prompt-39")
def test_a_step_is_tried_ten_times(page: Page, quick_retries: None) -> None:
    answers = iter([ConnectionError()] * 9 + [SimpleNamespace(text="a page")])

    def get(url: str) -> Any:
        if isinstance(answer := next(answers), Exception):
            raise answer
        return answer

    page.given(requests=SimpleNamespace(get=get)).run().launch()
    assert DBOS.workflow(name="gets")(lambda: page.example_step())() == "a page"


@of("python-prompt-55")
def test_a_configured_instance_runs_its_workflow(
    page: Page, capsys: pytest.CaptureFixture[str]
) -> None:
    page.given(requests=SimpleNamespace(get=lambda url: SimpleNamespace(text=f"page of {url}")))
    page.launch().run()
    assert capsys.readouterr().out == "page of https://example.com\n"
    assert steps_of(latest("URLFetcher.fetch_workflow"))[0].endswith("fetch_url")


@of("python-prompt-58", "python-prompt-59", "python-prompt-60", "python-prompt-61")
def test_a_patched_workflow_runs_the_new_code(page: Page) -> None:
    page.given("foo", "bar", "baz").run()
    DBOS(config={"name": "patched", "system_database_url": page.url, "enable_patching": True})
    DBOS.launch()
    with SetWorkflowID(page.block.name):
        page.workflow()
    expected = {
        "python-prompt-58": ["foo", "bar"],
        "python-prompt-59": ["DBOS.patch-use-baz", "baz", "bar"],
    }
    assert steps_of(page.block.name) == expected.get(page.block.name, ["baz", "bar"])


@of("python-prompt-74")
def test_the_database_is_named_by_the_environment(page: Page) -> None:
    page.run()
    DBOS.launch()
    assert DBOS.workflow(name="x")(echo("x"))() == ["x"]


@of("python-prompt-77")
def test_a_json_serializer_keeps_what_workflows_return(page: Page) -> None:
    page.run()
    with SetWorkflowID("json"):
        DBOS.workflow(name="json")(lambda: {"a": [1]})()
    [found] = DBOS.list_workflows(workflow_ids=["json"])
    assert found.output == {"a": [1]}
