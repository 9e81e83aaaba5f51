"""The row of ``workflow_status`` that a start inserts."""

from __future__ import annotations

import json

from dboshub.workflows.engine.observability.tracing import TRACE_ATTRIBUTE
from dboshub.workflows.engine.options import StartOptions
from dboshub.workflows.engine.records import NewWorkflow, Status
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.start_request import FunctionReference, PreparedStart


def new_row(engine: Engine, start: PreparedStart, token: str) -> NewWorkflow:
    """The row of a start. `token` is its creator, and its owner unless it is enqueued."""
    settings, options, parent = engine.settings, start.options, start.parent
    function, identity = start.function, start.identity
    now = engine.clock.now_ms()
    is_queued = start.queue_name is not None
    delay_until = None
    if options.delay_s is not None:
        delay_until = now + int(options.delay_s * 1000)
    debounced_until = None
    if options.debounce_timeout_s is not None:
        debounced_until = now + int(options.debounce_timeout_s * 1000)
    timeout_ms, deadline = _timeout_and_deadline(start, now)
    application, version = _application_and_version(engine, options, function)
    inherited = parent.serialization if parent is not None else None
    return NewWorkflow(
        workflow_uuid=start.workflow_id,
        status=_initial_status(is_queued, delay_until),
        name=function.name,
        class_name=function.class_name,
        config_name=function.config_name,
        created_at=now,
        updated_at=now,
        authenticated_user=identity.user,
        assumed_role=identity.assumed_role,
        authenticated_roles=json.dumps([*identity.roles]) if identity.roles else None,
        executor_id=settings.executor_id if function.is_known else None,
        application_version=version,
        application_id=settings.application_id,
        application_name=application,
        recovery_attempts=0 if is_queued else 1,
        queue_name=start.queue_name,
        workflow_timeout_ms=timeout_ms,
        workflow_deadline_epoch_ms=deadline,
        deduplication_id=options.deduplication_id,
        priority=options.priority,
        queue_partition_key=options.partition_key,
        owner_xid=None if is_queued else token,
        creator_xid=token,
        parent_workflow_id=parent.workflow_id if parent is not None else None,
        serialization=engine.codec.format_name(function.serialization, inherited),
        delay_until_epoch_ms=delay_until,
        is_debounced=options.is_debounced,
        debounce_deadline_epoch_ms=debounced_until,
        attributes=_attributes(options),
    )


def _attributes(options: StartOptions) -> str | None:
    given = options.attributes
    if options.trace is not None:
        given = {TRACE_ATTRIBUTE: options.trace, **(given or {})}
    return None if given is None else json.dumps(given)


def _application_and_version(
    engine: Engine, options: StartOptions, function: FunctionReference
) -> tuple[str | None, str | None]:
    """The application that runs the workflow, and its version.

    A function that is given by name alone may be another version's, or another application's:
    None leaves the choice to the latest.
    """
    settings = engine.settings
    application = options.application_name or settings.application_name
    is_own = function.is_known and application == settings.application_name
    return application, options.application_version or (
        settings.application_version if is_own else None
    )


def _initial_status(is_queued: bool, delay_until: int | None) -> str:
    if not is_queued:
        return Status.PENDING
    return Status.ENQUEUED if delay_until is None else Status.DELAYED


def _timeout_and_deadline(start: PreparedStart, now: int) -> tuple[int | None, int | None]:
    """Timeout and deadline in ms; an enqueued workflow gets its deadline when it is dequeued."""
    options, parent = start.options, start.parent
    if options.has_timeout:
        if options.timeout_s is None:
            return None, None
        timeout_ms = int(options.timeout_s * 1000)
        return timeout_ms, None if start.queue_name is not None else now + timeout_ms
    return None, parent.deadline_ms if parent is not None else None
