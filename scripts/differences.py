"""How a public name differs from that of the ``dbos`` package, and why it does."""

from __future__ import annotations

import inspect
from enum import Enum
from typing import Any, get_args, get_origin, is_typeddict

UNSAID = {"self", "cls", "into"}  # receivers, and where tests register functions
# What only a sharded, commercial database of DBOS has a use for.
SHARDED = {"shard_key", "parent_shard_key", "child_shard_key"}
ONLY_HERE = "only here"

_DBOS_2 = "as in DBOS 2, whose programs run unchanged"
_CONDUCTOR = "there only Conductor can ask for it"
_HANDED_OUT = "made by calls, never by programs"
_INSTANCE = "an attribute of the instance in `dbos`"
_TWIN = "every call that waits has a twin here"
_BULK = "many at once, by a few statements"
_SUSPENDED = "workflows that wait long leave memory"
_LIFE = "so that tests and long-lived programs can let go of it"

# By the title of a row, or by the name alone where DBOS and DBOSClient share it.
REASONS = {
    "DBOS": f"`fastapi`, `flask`: {_DBOS_2}; Conductor's parameters are refused with advice",
    "DBOSClient": "the serializer None is the default one; `use_listen_notify`: None listens while "
    "a call waits; `behind_pooler`: for a URL that leads to a pooler in transaction mode",
    "DBOSConfig": "what belongs to Conductor and to licences is refused "
    f"with advice; `application_database_url`, `database_url`, `admin_…`: {_DBOS_2}; `executor_…`: "
    "leases take the place of Conductor; `behind_pooler`, `listen_url`: for poolers; "
    f"`suspend_after_sec`: {_SUSPENDED}",
    "DBOSConfiguredInstance": f"`instance_name`: {_DBOS_2}; just one of the two is required",
    "OtelContext": "to annotate with: what `PropagateOtelContext` takes",
    "Queue": f"declares a queue {_DBOS_2}; 3.x refuses to construct one, and its further "
    "parameters are those of its own code",
    "StepReservation": _HANDED_OUT,
    "WorkflowStatus": _HANDED_OUT,
    "Queue.application_name": "an attribute of the instance in `dbos`",
    "install_as_dbos": "for programs that import `dbos`",
    "DBOS.destroy": "`grace_period_sec`: running steps are waited for before they are handed back",
    "DBOS.forget_queues": _LIFE,
    "DBOS.get_context": _DBOS_2,
    "DBOS.listened_queues": "tells what `listen_queues` was given",
    "DBOS.request": _DBOS_2,
    "DBOS.scheduled": _DBOS_2,
    "DBOS.sql_session": _DBOS_2,
    "DBOS.transaction": _DBOS_2,
    "DBOS.workflow": f"`suspend`: {_SUSPENDED}",
    "DBOSClient.get_all_events": "as that of `DBOS`",
    "SQLAlchemyDatasource.close": _LIFE,
    "AsyncSQLAlchemyDatasource.close": _LIFE,
    "engine": _INSTANCE,
    "created_engine": _INSTANCE,
    "must_exist": "whether a deleted workflow ends the wait for it",
    "WorkflowHandle.shard_key": f"{_INSTANCE}; None here",
    "WorkflowHandleAsync.shard_key": f"{_INSTANCE}; None here",
    "backfill_schedule": _TWIN,
    "export_workflow": _CONDUCTOR,
    "enqueue_workflows": _BULK,
    "enqueue_workflows_in_transaction": _BULK,
    "fork_from_failure": _CONDUCTOR,
    "get_metrics": _CONDUCTOR,
    "get_step_aggregates": _CONDUCTOR,
    "get_workflow_aggregates": _CONDUCTOR,
    "import_workflow": _CONDUCTOR,
    "pause_schedule": _TWIN,
    "resume_schedule": _TWIN,
    "send_bulk": "`atomic`: whether all are sent or none, or each for itself",
    "start_workflows": _BULK,
    "trigger_schedule": _TWIN,
    "WorkflowCall": "an item of a call for many workflows",
}


def reason(owner: str, name: str) -> str:
    """Why a name differs; empty if nobody said."""
    return REASONS.get(f"{owner}.{name}" if owner else name) or REASONS.get(name, "")


def difference(owner: str, name: str, value: Any, *, has_twin: bool) -> str:
    """What is missing (`-`), more (`+`) or otherwise (`~`) than in ``dbos``; empty without it."""
    try:
        import dbos
    except ImportError:
        return ""
    theirs: Any = getattr(dbos, owner, None) if owner else dbos
    if name not in dir(theirs):
        return ONLY_HERE
    own, other = _parts(value), _parts(inspect.getattr_static(theirs, name))
    told = [f"-`{each}`" for each in sorted(other.keys() - own.keys() - SHARDED)]
    told += [f"+`{each}`" for each in sorted(own.keys() - other.keys() - SHARDED)]
    told += [f"~`{each}`" for each in sorted(own.keys() & other.keys()) if own[each] != other[each]]
    if has_twin and f"{name}_async" not in dir(theirs):
        told.append(f"+`{name}_async`")
    return ", ".join(told)


def missing(owner: str, names: set[str]) -> set[str]:
    """The public names of ``dbos``, or of a class of it, that are not among these."""
    import dbos

    theirs = set(dir(getattr(dbos, owner))) if owner else set(dbos.__all__)
    return {each for each in theirs if not each.startswith("_")} - names


def is_called(value: Any) -> bool:
    """Whether a name has a signature that callers go by."""
    if inspect.isclass(value):
        return not issubclass(value, Enum) and not is_typeddict(value)
    return inspect.isroutine(value) or inspect.isfunction(value)


def _parts(value: Any) -> dict[str, Any]:
    """What callers see of a name: parameters with place and default, keys, members or words."""
    value = getattr(value, "__func__", value)
    if is_typeddict(value):
        return dict.fromkeys(value.__annotations__)
    if inspect.isclass(value) and issubclass(value, Enum):
        return dict.fromkeys(value.__members__)
    if get_origin(value) is not None:
        return {repr(each): None for each in get_args(value)}
    if not is_called(value):
        return {}
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return {}
    said = [each for each in parameters if each.name not in UNSAID]
    places = {each.name: place for place, each in enumerate(said) if each.kind < each.KEYWORD_ONLY}
    return {each.name: (each.kind, places.get(each.name), _default(each)) for each in said}


def _default(parameter: inspect.Parameter) -> Any:
    """A default to compare; of an enumeration the name, as each library has its own."""
    given = parameter.default
    return given.name if isinstance(given, Enum) else given
