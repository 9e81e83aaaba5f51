"""The execution and the arguments of a workflow that the dispatcher claimed."""

from __future__ import annotations

from typing import Any

from dboshub.workflows.engine.errors import DBOSRecoveryError
from dboshub.workflows.engine.identity import Identity
from dboshub.workflows.engine.records import ClaimedWorkflow
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.serialization import UnknownFormatError
from dboshub.workflows.engine.stored_json import stored_texts


def claimed_execution(engine: Engine, claimed: ClaimedWorkflow) -> Execution:
    """The execution of a claimed row, with the identity that the row records."""
    roles, tracer = claimed.authenticated_roles, engine.tracer
    return Execution(
        engine=engine,
        workflow_id=claimed.workflow_id,
        owner=claimed.owner,
        name=claimed.name,
        identity=Identity(
            claimed.authenticated_user,
            tuple(stored_texts(roles)) if roles else None,
            claimed.assumed_role,
        ),
        serialization=claimed.serialization,
        deadline_ms=claimed.deadline_ms,
        has_history=claimed.has_history,
        queue_name=claimed.queue_name,
        partition_key=claimed.partition_key,
        trace=tracer.trace_from_carrier(claimed.trace) if tracer is not None else None,
    )


def claimed_arguments(
    engine: Engine, claimed: ClaimedWorkflow
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a claimed row.

    Raises DBOSRecoveryError if they cannot be read, UnknownFormatError without the serializer.
    """
    if claimed.inputs is None:
        raise DBOSRecoveryError(claimed.workflow_id, "it has no row in workflow_input")
    try:
        return engine.codec.decode_args(claimed.inputs, claimed.serialization)
    except UnknownFormatError:
        raise
    except Exception as error:
        name = claimed.serialization or engine.codec.name
        reason = f"its arguments cannot be read as {name}: {type(error).__name__}: {error}"
        raise DBOSRecoveryError(claimed.workflow_id, reason) from error
