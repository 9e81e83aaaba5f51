"""Part of the public class ``DBOS``: decorators, steps, and the context of running code.

Each program has two forms: ``name`` blocks, ``name_async`` is awaited.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from dboshub.workflows.engine.context import FRAME, StepStatus
from dboshub.workflows.engine.control import versioning
from dboshub.workflows.engine.current_engine import engine, process_identity
from dboshub.workflows.engine.handles import WorkflowHandle, WorkflowHandleAsync
from dboshub.workflows.engine.identity import current_identity
from dboshub.workflows.engine.observability.logs import application_logger
from dboshub.workflows.engine.operations import step_reservation
from dboshub.workflows.engine.operations.step_reservation import StepOptions, StepReservation
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.registration import decorators, roles
from dboshub.workflows.engine.sync_async import async_form, sync_form
from dboshub.workflows.engine.typed_calls import async_run_step_form, run_step_form
from dboshub.workflows.engine.waiting import wait_any

R = TypeVar("R")

AnyHandle = WorkflowHandle[Any] | WorkflowHandleAsync[Any]


class ClassProperty(Generic[R]):
    """A property of the class itself, such as ``DBOS.workflow_id``."""

    def __init__(self, read: Callable[[], R]) -> None:
        self._read = read
        self.__doc__ = read.__doc__

    def __get__(self, instance: object, owner: type) -> R:
        return self._read()


def _workflow_id() -> str | None:
    """Id of the current workflow, or None outside one."""
    current = FRAME.get()
    return current.execution.workflow_id if current is not None else None


def _step_status() -> StepStatus | None:
    """The current step, with its attempt counted from zero, or None outside one."""
    current = FRAME.get()
    return current.step if current is not None else None


def _step_id() -> int | None:
    """Id of the current step, or None outside one."""
    status = _step_status()
    return status.step_id if status is not None else None


def _application_version() -> str:
    """The application version of this process: configured, or computed at launch, before it ""."""
    return process_identity().application_version


def _executor_id() -> str:
    """The executor id of this process, which the rows of its workflows hold."""
    return process_identity().executor_id


def _authenticated_user() -> str | None:
    """The user of the current code, or None."""
    return current_identity().user


def _authenticated_roles() -> list[str] | None:
    """The roles of the authenticated user, or None."""
    held = current_identity().roles
    return None if held is None else [*held]


def _assumed_role() -> str | None:
    """The role by which the caller passed a role check, or None."""
    return current_identity().assumed_role


def _shard_key() -> None:
    """None: only sharded databases have shard keys."""


class FunctionsAPI:
    """Decorators of durable functions, and the context of the current code."""

    logger = application_logger
    workflow_id = ClassProperty(_workflow_id)
    step_id = ClassProperty(_step_id)
    step_status = ClassProperty(_step_status)
    application_version = ClassProperty(_application_version)
    executor_id = ClassProperty(_executor_id)
    authenticated_user = ClassProperty(_authenticated_user)
    authenticated_roles = ClassProperty(_authenticated_roles)
    assumed_role = ClassProperty(_assumed_role)
    shard_key = ClassProperty(_shard_key)

    workflow = staticmethod(decorators.workflow)
    step = staticmethod(decorators.durable_step)
    dbos_class = staticmethod(decorators.dbos_class)
    required_roles = staticmethod(roles.required_roles)
    default_required_roles = staticmethod(roles.default_required_roles)
    set_authentication = staticmethod(roles.set_authentication)

    @run_step_form
    def run_step(
        dbos_step_options: StepOptions | None,
        func: Callable[..., Any],
        *args: Any,
        **kwargs: Any,
    ) -> Program[Any]:
        """Run any callable as a step, without a decorator; options are those of ``step``."""
        return step_reservation.run_step(dbos_step_options, func, args, kwargs)

    run_step_async = async_run_step_form(run_step)

    @staticmethod
    def reserve_step() -> StepReservation:
        """Draw the next step id, for a step that a concurrent task runs later."""
        return step_reservation.reserve_step()

    @sync_form
    def patch(patch_name: str) -> Program[bool]:
        """Whether to run the new code: False if the workflow passed here before the patch."""
        return versioning.patch(patch_name)

    patch_async = async_form(patch)

    @sync_form
    def deprecate_patch(patch_name: str) -> Program[bool]:
        """Skip the marker of a patch, which only older workflows have; always True."""
        return versioning.deprecate_patch(patch_name)

    deprecate_patch_async = async_form(deprecate_patch)

    @sync_form
    def wait_first(
        handles: Sequence[AnyHandle], *, polling_interval_sec: float = 1.0
    ) -> Program[AnyHandle]:
        """The first of these handles whose workflow has ended, with any outcome.

        `polling_interval_sec` has no effect: one poll serves all waiters of the process.

        Raises ValueError for no handles, or two of one workflow.
        """
        return wait_any.wait_first(engine(), handles)

    wait_first_async = async_form(wait_first)

    @staticmethod
    def asyncio_wait(
        fs: Sequence[Awaitable[Any]],
        *,
        timeout: float | None = None,
        return_when: str = "ALL_COMPLETED",
    ) -> wait_any.Waiting:
        """``asyncio.wait`` as a step: a replay returns the same done and pending tasks."""
        return wait_any.asyncio_wait(fs, timeout=timeout, return_when=return_when)
