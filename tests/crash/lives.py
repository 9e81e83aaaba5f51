"""A workflow begins in an engine that dies, and another engine goes on with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from dboshub import DBOS, SetWorkflowID
from dboshub.workflows.storage.sql import Statement
from tests.crash.crash_points import Death
from tests.crash.crashing_ports import Mortals
from tests.crash.scenario import effects

WORKFLOW = "order-1"
RECORDED = Statement("SELECT workflow_uuid, function_id FROM {operation_outputs}")
EXISTS = Statement("SELECT 1 FROM {workflow_status} WHERE workflow_uuid = :id")
T = TypeVar("T")


def live_and_let_die(
    engines: Mortals, death: Death, workflow: Callable[[int], Any], outcome: Callable[[], T]
) -> T | None:
    """Return the outcome in the second engine, or None if the workflow never began.

    A start that was acknowledged has happened, and no step runs again after its checkpoint.
    """
    effects.clear()

    def begin() -> Any:
        with SetWorkflowID(WORKFLOW):
            return DBOS.start_workflow(workflow, 5)

    acknowledged = engines.run(death, begin)
    recorded = {(workflow_id, step) for workflow_id, step in engines.ask(RECORDED)}
    before = Counter(effects)
    if not acknowledged and not engines.ask(EXISTS, id=WORKFLOW):
        assert not effects
        return None
    found = engines.recover(outcome)
    for name, times in Counter(effects).items():
        workflow_id, step, _ = name.rsplit("/", 2)
        if (workflow_id, int(step)) in recorded:
            assert times == before[name], f"{name} ran again after its checkpoint"
        assert times <= 2
    return found
