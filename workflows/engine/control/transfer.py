"""Export and import of workflows, and forks of many workflows from their failed step.

Inside a workflow body each call is a step, so a replay does not act again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dboshub.workflows.engine import validation
from dboshub.workflows.engine.control.management import announce, as_step
from dboshub.workflows.engine.errors import DBOSException, DBOSNonExistentWorkflowError
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import Status
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.waiting.notices import QUEUE, STATUS, Notice


def export_workflow(engine: Engine, workflow_id: str, *, children: bool) -> Program[str]:
    """All rows of a workflow as text for ``import_workflow``.

    Raises DBOSNonExistentWorkflowError for an unknown id.
    """

    def act() -> str:
        try:
            return engine.store.export_workflow(workflow_id, children=children)
        except KeyError:
            raise DBOSNonExistentWorkflowError("target", workflow_id) from None

    return as_step(engine, "DBOS.exportWorkflow", act)


def import_workflow(engine: Engine, text: str) -> Program[list[str]]:
    """Insert the workflows of an export; returns their ids, the exported one first."""

    def act() -> list[str]:
        if not isinstance(text, str):
            raise DBOSException("give the text that export_workflow returned")
        rows = engine.store.import_workflow(text)
        engine.notices.publish(notices_of(rows))
        return [row["workflow_uuid"] for row in rows]

    return as_step(engine, "DBOS.importWorkflow", act)


def fork_from_failure(
    engine: Engine,
    ids: Sequence[str],
    *,
    start: Mapping[str, Any],
    application_version: str | None = None,
    queue_name: str | None = None,
    queue_partition_key: str | None = None,
) -> Program[list[str]]:
    """Fork all workflows or none; returns the new ids in the same order."""

    def act() -> list[str]:
        forks = {each: engine.new_workflow_id() for each in ids}
        try:
            engine.store.fork_from_failure(
                forks,
                _start(start),
                application_version=application_version,
                queue=queue_name,
                partition_key=queue_partition_key,
                now=engine.clock.now_ms(),
                fallback_application=engine.settings.application_name,
            )
        except KeyError as missing:
            raise DBOSNonExistentWorkflowError("target", str(missing.args[0])) from None
        except LookupError as error:
            raise DBOSException(
                f"workflow {error.args[0]} recorded no step {start['from_step_name']!r}: "
                "nothing was forked"
            ) from None
        announce(engine, [*forks, *forks.values()], queue_name)
        return [forks[each] for each in ids]

    return as_step(engine, "DBOS.forkFromFailure", act)


def _start(given: Mapping[str, Any]) -> dict[str, Any]:
    chosen = [key for key, value in given.items() if value is not None and value is not False]
    if len(chosen) > 1:
        raise DBOSException(f"give one of {', '.join(chosen)}: they exclude each other")
    step = given["from_step"]
    return {
        "step": None if step is None else validation.step("from_step", step),
        "name": validation.optional_text("the name of a step", given["from_step_name"]),
        "from_last": given["from_last_step"],
    }


def notices_of(rows: list[dict[str, Any]]) -> list[Notice]:
    """Notices for the waiters of imported workflows, and for those who serve their queues."""
    queues = {row["queue_name"] for row in rows if row["status"] == Status.ENQUEUED}
    return [
        *((STATUS, row["workflow_uuid"]) for row in rows),
        *((QUEUE, each) for each in sorted(queues)),
    ]
