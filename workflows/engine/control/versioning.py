"""Change the code of running workflows: patches and application versions."""

from __future__ import annotations

import asyncio

from dboshub.workflows.engine import validation
from dboshub.workflows.engine.context import frame
from dboshub.workflows.engine.errors import DBOSException, DBOSPatchNondeterminismError
from dboshub.workflows.engine.operations.overlapping import alone
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import VersionInfo
from dboshub.workflows.engine.runtime.effects import LetOthersRun
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.execution import Execution

MAX_VERSIONS = 10_000
_CONCURRENT = (
    "DBOS.patch_async was called concurrently with other operations in the same workflow, so the "
    "position of its marker would depend on task scheduling; call it from sequential workflow code"
)


def patch(name: str) -> Program[bool]:
    """Record a marker and return True; False if the workflow passed here before the patch."""
    execution = _execution("patch")
    return _patch(execution, _marker(name))


def deprecate_patch(name: str) -> Program[bool]:
    """Skip the marker if this workflow has one; always True."""
    execution = _execution("deprecate_patch")
    return _deprecate(execution, _marker(name))


def _execution(call: str) -> Execution:
    """The execution of the calling workflow body. Raises DBOSException elsewhere."""
    current = frame()
    if current is None or current.step is not None:
        form = f"{call}_async" if asyncio._get_running_loop() is not None else call
        raise DBOSException(f"DBOS.{form} must be called from a workflow")
    return current.execution


def _marker(name: str) -> str:
    return f"DBOS.patch-{validation.name('the name of a patch', name)}"


def _patch(execution: Execution, marker: str) -> Program[bool]:
    refusal = DBOSPatchNondeterminismError(execution.workflow_id, marker, _CONCURRENT)
    with alone(execution, "patch", refusal):
        drawn = execution.counter
        yield LetOthersRun()
        if execution.counter != drawn:
            raise refusal
        return (yield from _record(execution, marker))


def _record(execution: Execution, marker: str) -> Program[bool]:
    found = yield from _name_at_next_step(execution, marker)
    if found is not None:
        return (yield from _deprecated(execution, marker, found)) and found == marker
    step_id = execution.next_id()
    yield from execution.verify_can_continue()
    now = execution.engine.clock.now_ms()
    yield from execution.commit(
        execution.step_write(step_id, marker, started_at=now, completed_at=now)
    )
    return True


def _deprecate(execution: Execution, marker: str) -> Program[bool]:
    found = yield from _name_at_next_step(execution, marker)
    return (yield from _deprecated(execution, marker, found))


def _deprecated(execution: Execution, marker: str, found: str | None) -> Program[bool]:
    execution.raise_if_stopped()
    if found == marker:
        yield from execution.checkpoint_of(execution.next_id(), marker)
    return True


def _name_at_next_step(execution: Execution, marker: str) -> Program[str | None]:
    """The name that is recorded under the next step id, without drawing that id."""
    drawn = execution.counter
    checkpoint = yield from execution.history.peek(drawn + 1)
    if execution.counter != drawn:
        raise DBOSPatchNondeterminismError(execution.workflow_id, marker, _CONCURRENT)
    return None if checkpoint is None else checkpoint.name


def latest(engine: Engine) -> Program[VersionInfo]:
    """The latest version of the application. Raises DBOSException if there is none."""
    name = engine.settings.application_name
    found: list[VersionInfo] = yield engine.query(lambda: engine.store.versions(name, most=1))
    if not found:
        raise DBOSException(
            f"No application versions found: none of application {name} was ever launched"
        )
    return found[0]


def versions(engine: Engine) -> Program[list[VersionInfo]]:
    """Versions of the application and those without one, latest first."""
    name = engine.settings.application_name
    found: list[VersionInfo] = yield engine.query(
        lambda: engine.store.versions(name, most=MAX_VERSIONS)
    )
    return found


def set_latest(engine: Engine, name: str, application: str | None) -> Program[None]:
    """Make a version the latest. Raises DBOSException if another application owns it."""
    owner = application or engine.settings.application_name
    validation.text("an application version", name)
    now = engine.clock.now_ms()
    yield engine.change(lambda: engine.store.set_latest_version(name, application=owner, now=now))
