"""The blocks of the beginner's tutorial; its three whole programs run in test_tutorials.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dboshub import DBOS
from dboshub.error import DBOSMaxStepRetriesExceeded
from tests.docs_examples.pages import Page, echo, latest, of, returning, steps_of


class Flaky:
    """A service outside that fails as often as it is told, then answers."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    def upload_file(self, *args: Any) -> None:
        self.calls += 1
        if self.calls <= self.failures:
            raise ConnectionError("reset by peer")

    def post(self, url: str, **request: Any) -> SimpleNamespace:
        self.upload_file()
        return SimpleNamespace(raise_for_status=lambda: None, json=lambda: {"asked": request})


@of("dbos-tutorial-2", "dbos-tutorial-3")
def test_workflows_that_only_call_steps_run(page: Page) -> None:
    page.given("step_one", "step_two").run().launch()
    [workflow] = [page.names[name] for name in page.names if name.endswith("_workflow")]
    workflow()
    assert steps_of(latest(workflow.__name__))[0] == "step_one"


@of("dbos-tutorial-4")
def test_a_payment_that_was_processed_is_not_charged_again(page: Page) -> None:
    charged: dict[str, str] = {}
    page.given(
        payment_already_processed=charged.__contains__,
        get_existing_result=charged.__getitem__,
        charge_customer=lambda order: f"charged {order}",
        save_payment_result=charged.__setitem__,
    )
    page.run().launch()
    assert page.process_payment("o") == page.process_payment("o") == "charged o"


@of("dbos-tutorial-5")
def test_a_step_by_itself_is_an_ordinary_call(page: Page) -> None:
    sent: list[str] = []
    page.given(send_email=lambda: sent.append("email")).run().launch()
    page.bad_step()
    assert sent == ["email"]


@of("dbos-tutorial-7")
def test_an_unreliable_call_is_tried_three_times(page: Page, quick_retries: None) -> None:
    page.given(requests=(service := Flaky(2))).run().launch()
    workflow = DBOS.workflow(name="calls")(lambda: page.unreliable_api_call("hello"))
    assert workflow() == {"asked": {"json": {"data": "hello"}}}
    service.failures = 9
    with pytest.raises(DBOSMaxStepRetriesExceeded):
        workflow()
    assert service.calls == 6


@of("dbos-tutorial-8")
def test_an_upload_is_retried_until_it_succeeds(page: Page, quick_retries: None) -> None:
    page.given(s3_client=(service := Flaky(3))).run().launch()
    results = page.file_processing_workflow(["a.csv", "b.csv"])
    assert [each["key"] for each in results] == ["uploads/a.csv", "uploads/b.csv"]
    assert service.calls == 5


@of("dbos-tutorial-10")
def test_an_agent_goes_on_until_it_decides_to_stop(page: Page) -> None:
    page.given("generate_next_query", perform_research=lambda query, context: len(context))
    page.given(decide_next_action=DBOS.step(name="decide")(lambda result, context: result < 2))
    page.given(synthesize_answer=DBOS.step(name="synthesize")(lambda context: [*context]))
    page.run().launch()
    assert page.agent_workflow("why?") == [0, 1, 2]


@of("dbos-tutorial-11")
def test_a_pipeline_works_on_its_chunks_by_a_queue(page: Page) -> None:
    page.given("download_data", "upload_result", "process_chunk")
    page.given(split_into_chunks=lambda data: [1, 2, 3])
    page.given(aggregate_results=returning("aggregate", "all of them"))
    page.run().launch()
    assert page.data_pipeline_workflow("http://source") == "all of them"
    assert len(DBOS.list_workflows(queue_name="processing-queue")) == 3


@of("dbos-tutorial-12")
def test_a_payment_goes_through_its_five_steps(page: Page) -> None:
    steps = ("validate_payment", "reserve_inventory", "charge_customer", "fulfill_order")
    page.given(*steps, "send_confirmation").run().launch()
    assert page.payment_workflow("o", 9.5)["payment"] == ["charge_customer", "o", 9.5]
    assert steps_of(latest("payment_workflow")) == [*steps, "send_confirmation"]


@of("dbos-tutorial-13")
def test_a_background_job_returns_what_its_long_step_did(page: Page) -> None:
    page.given("prepare_job", "execute_long_running_job", "cleanup_job", "notify_completion")
    page.run().launch()
    result = page.background_job_workflow("j")
    assert result == ["execute_long_running_job", "j", ["prepare_job", "j"]]


@of("dbos-tutorial-14")
def test_focused_steps_do_one_thing_each(page: Page) -> None:
    did: list[str] = []
    for verb in ("validate", "process", "save", "notify"):
        page.given(**{verb: lambda data, verb=verb: did.append(verb)})
    page.run().launch()
    page.validate_input(1)
    page.process_data(1)
    page.do_everything(1)
    assert did == ["validate", "process", "validate", "process", "save", "notify"]


@of("dbos-tutorial-15")
def test_a_step_may_be_defined_again_in_its_file(page: Page) -> None:
    page.given(process_file=lambda path: f"content of {path}", upload_to_s3=lambda data: "s3://x")
    page.run().launch()
    assert page.process_large_file("f") == "content of f"


@of("dbos-tutorial-16")
def test_a_queue_may_be_declared_in_a_workflow(page: Page) -> None:
    page.given(process_item=echo("process_item")).run().launch()
    expected = [["process_item", number] for number in range(100)]
    assert page.parallel_workflow() == page.sequential_workflow() == expected


@of("dbos-tutorial-17")
@pytest.mark.parametrize("error", [KeyError("known"), OSError("unknown")], ids=repr)
def test_a_robust_step_handles_what_it_knows(page: Page, error: Exception) -> None:
    def risky(data: object) -> None:
        raise error

    page.given(risky_operation=risky, SpecificError=KeyError, handle_error=repr, log_error=repr)
    page.run().launch()
    if isinstance(error, KeyError):
        assert page.robust_step(1) == "KeyError('known')"
    else:
        with pytest.raises(OSError, match="unknown"):
            page.robust_step(1)


@of("dbos-tutorial-18")
def test_names_of_steps_are_what_is_recorded(page: Page) -> None:
    page.given("validate_order", "charge_customer", "ship_order", "step1", "step2")
    page.run().launch()
    page.process_customer_order_workflow("o")
    page.workflow1("o")
    assert steps_of(latest("workflow1")) == ["step1", "step2"]
