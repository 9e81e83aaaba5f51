"""Rewind a workflow, change its delay, change its attributes.

Inside a workflow body each call is a step, so a replay does not act again.
"""

from __future__ import annotations

from typing import Any

from dboshub.workflows.engine import validation
from dboshub.workflows.engine.control.management import announce, as_step
from dboshub.workflows.engine.errors import DBOSException, DBOSNonExistentWorkflowError
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.runtime.engine import Engine


def rewind(
    engine: Engine,
    workflow_id: str,
    start_step: int,
    *,
    application_version: str | None = None,
    queue_name: str | None = None,
    queue_partition_key: str | None = None,
) -> Program[None]:
    """Run a workflow that has ended again, from `start_step` on.

    Raises ValueError for a step below 1, DBOSNonExistentWorkflowError for an unknown id, and
    DBOSException for a workflow that has not ended.
    """

    def act() -> None:
        if validation.step("start_step", max(start_step, 0)) < 1:
            raise ValueError(f"start_step must be >= 1, got {start_step}")
        engine.before_rewind(workflow_id, start_step)
        try:
            engine.store.rewind(
                workflow_id,
                start_step=start_step,
                application_version=application_version,
                queue=queue_name,
                partition_key=queue_partition_key,
                now=engine.clock.now_ms(),
            )
        except KeyError:
            raise DBOSNonExistentWorkflowError("target", workflow_id) from None
        announce(engine, [workflow_id], queue_name)

    return as_step(engine, "DBOS.rewindWorkflow", act)


def set_delay(
    engine: Engine, workflow_id: str, seconds: float | None, until_ms: int | None
) -> Program[None]:
    """Change the time at which a DELAYED workflow is due: in `seconds`, or at `until_ms`.

    Raises DBOSException unless exactly one is given, and for a negative one.
    """

    def act() -> None:
        until = _due(engine, seconds, until_ms)
        engine.store.set_delay(workflow_id, until=until, now=engine.clock.now_ms())

    return as_step(engine, "DBOS.setWorkflowDelay", act)


def _due(engine: Engine, seconds: float | None, until_ms: int | None) -> int:
    if seconds is None and until_ms is None:
        raise DBOSException("Must specify either delay_seconds or delay_until_epoch_ms")
    if seconds is not None and until_ms is not None:
        raise DBOSException("Specify either delay_seconds or delay_until_epoch_ms, not both")
    if (seconds or 0) < 0 or (until_ms or 0) < 0:
        name = "delay_until_epoch_ms" if seconds is None else "delay_seconds"
        raise DBOSException(f"{name} must be >= 0: give 0 to make the workflow due now")
    if seconds is None:
        return int(until_ms or 0)
    return engine.clock.now_ms() + int(validation.seconds("delay_seconds", seconds) * 1000)


def update_attributes(
    engine: Engine, workflow_id: str, attributes: dict[str, Any] | None, *, merge: bool
) -> Program[None]:
    """Replace all attributes of a workflow, or merge these into them."""

    def act() -> None:
        if attributes is None and merge:
            raise DBOSException(
                "Cannot merge None into workflow attributes: give the attributes to change"
            )
        engine.store.update_attributes(
            workflow_id,
            None if attributes is None else validation.attributes(attributes),
            merge=merge,
            now=engine.clock.now_ms(),
        )

    return as_step(engine, "DBOS.updateWorkflowAttributes", act)
