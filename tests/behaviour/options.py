"""Options of starts, what listings show, and what a process tells of itself."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from tests.behaviour.cases import DBOS, behaviour, launch, library, raised

QUEUED = {"queue_name": "unserved", "workflow_name": "options_plain"}


@DBOS.workflow()
def options_plain(value: int = 1) -> int:
    return value


@DBOS.step(name="options named")
def options_step() -> None: ...


def row(handle: Any) -> dict[str, Any]:
    """What the options of a start made of its row, as far as it was set."""
    status = handle.get_status()
    names = (
        *("workflow_id", "status", "app_version", "priority", "deduplication_id"),
        *("queue_partition_key", "workflow_timeout_ms", "attributes", "authenticated_user"),
        *("authenticated_roles", "executor_id"),
    )
    return {name: value for name in names if (value := getattr(status, name)) is not None}


@behaviour(
    {
        "workflow_id": "around",
        "status": "ENQUEUED",
        "priority": 3,
        "deduplication_id": "d",
        "workflow_timeout_ms": 9000,
        "attributes": {"a": 1},
        "authenticated_user": "u",
        "authenticated_roles": ["r"],
    }
)
def by_names_the_blocks_around_count() -> Any:
    with (
        library.SetWorkflowID("around"),
        library.SetEnqueueOptions(priority=3, deduplication_id="d"),
        library.SetWorkflowTimeout(9),
        library.SetWorkflowAttributes({"a": 1}),
        library.DBOSContextSetAuth("u", ["r"]),
    ):
        return row(DBOS.enqueue_workflow_with_options(QUEUED, 1))


@behaviour(
    {
        "workflow_id": "named",
        "status": "ENQUEUED",
        "app_version": "v",
        "priority": 4,
        "deduplication_id": "d3",
        "workflow_timeout_ms": 3000,
        "attributes": {"a": 1, "b": 2},
        "authenticated_user": "v",
        "authenticated_roles": ["q"],
    }
)
def options_come_before_the_blocks_around() -> Any:
    options = {
        **QUEUED,
        "workflow_id": "named",
        "priority": 4,
        "deduplication_id": "d3",
        "app_version": "v",
        "workflow_timeout": 3,
        "attributes": {"b": 2},
        "authenticated_user": "v",
        "authenticated_roles": ["q"],
    }
    with (
        library.SetWorkflowID("not this"),
        library.SetEnqueueOptions(priority=3, deduplication_id="d2", app_version="w"),
        library.SetWorkflowTimeout(9),
        library.SetWorkflowAttributes({"a": 1}),
        library.DBOSContextSetAuth("u", ["r"]),
    ):
        return row(DBOS.enqueue_workflow_with_options(options, 1))


@behaviour(["DBOSWorkflowIDInUseError", "holds it", True])
def policies_of_the_blocks_around_count() -> list[Any]:
    enqueue = DBOS.enqueue_workflow_with_options
    with library.SetWorkflowID("holds it"), library.SetEnqueueOptions(deduplication_id="e"):
        enqueue(QUEUED)
    with library.SetWorkflowID("holds it", workflow_id_reuse_policy="reject"):
        rejected = raised(enqueue, QUEUED)
    policy = {"deduplication_id": "e", "duplication_policy": "return-existing"}
    with library.SetEnqueueOptions(**policy):
        found = enqueue(QUEUED).workflow_id
    with library.SetWorkflowID("once"):
        ids = [enqueue(QUEUED).workflow_id for _ in range(2)]
    return [rejected, found, ids[0] == "once" != ids[1]]


@behaviour(["DBOSException", "DBOSException"], launched=False)
def a_client_checks_a_policy_without_an_id(config: dict[str, Any]) -> list[str]:
    launch(config)
    client = library.DBOSClient(system_database_url=config["system_database_url"])
    found = [
        raised(client.enqueue, {**QUEUED, "workflow_id_reuse_policy": "bogus"}),
        raised(DBOS.apply_schedules, [{"schedule_name": "incomplete"}]),
    ]
    client.destroy()
    DBOS.destroy()
    return found


@behaviour([["mine", "unclaimed"], ["mine", "unclaimed"], ["theirs", "unclaimed"]], launched=False)
def listings_of_an_application_have_what_nobody_claimed(config: dict[str, Any]) -> list[Any]:
    launch(config)
    url = config["system_database_url"]
    unclaimed = library.DBOSClient(system_database_url=url)
    unclaimed.enqueue({**QUEUED, "workflow_id": "listed unclaimed"})
    for name, application in (("mine", config["name"]), ("theirs", "their-app")):
        options = {**QUEUED, "workflow_id": f"listed {name}", "application_name": application}
        unclaimed.enqueue(options)

    def listed(**filters: Any) -> list[str]:
        found = DBOS.list_workflows(workflow_id_prefix="listed ", **filters)
        return sorted(each.workflow_id.removeprefix("listed ") for each in found)

    every = [
        listed(),
        listed(application_name=config["name"]),
        listed(application_name=["their-app"]),
    ]
    unclaimed.destroy()
    DBOS.destroy()
    return every


@behaviour(["options_plain", "options named"])
def decorated_functions_have_their_names() -> list[str]:
    return [options_plain.dbos_function_name, options_step.dbos_function_name]


class Marks(library.Serializer):  # type: ignore[misc]  # of either library
    """JSON with a name of its own."""

    def serialize(self, data: Any) -> str:
        return json.dumps(data)

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data)

    def name(self) -> str:
        return "marks"


@DBOS.workflow()
def options_many(*values: Any) -> int:
    return len(values)


@behaviour([{"args": [1, [2, 3]], "kwargs": {}}, "TypeError"], launched=False)
def a_serializer_of_the_user_gives_what_it_restores(config: dict[str, Any]) -> list[Any]:
    launch({**config, "serializer": Marks()})
    handle = DBOS.start_workflow(options_many, 1, (2, 3))
    handle.get_result()
    shown = handle.get_status().input
    client = library.DBOSClient(system_database_url=config["system_database_url"])
    unknown = issubclass(
        _error_class(client.retrieve_workflow(handle.workflow_id).get_result), TypeError
    )
    client.destroy()
    DBOS.destroy()
    return [shown, "TypeError" if unknown else "another"]


def _error_class(call: Any) -> type[BaseException]:
    try:
        call()
    except Exception as found:
        return type(found)
    return BaseException


@DBOS.workflow()
def options_tick(at: datetime, context: Any) -> str:
    return type(at).__name__


class OddData(Exception):
    data = object()  # it has no portable form


@DBOS.workflow()
def options_odd() -> None:
    raise OddData("odd")


@behaviour(["datetime", "odd", "OddData", True], launched=False)
def portable_json_as_the_default_keeps_times_and_data(config: dict[str, Any]) -> list[Any]:
    launch({**config, "serializer": library.DBOSPortableJSONSerializer()})
    once = {"schedule_name": "options", "workflow_fn": options_tick, "schedule": "0 0 1 1 *"}
    DBOS.create_schedule(**once)
    kind = DBOS.trigger_schedule("options").get_result()
    DBOS.delete_schedule("options")
    handle = DBOS.start_workflow(options_odd)
    raised(handle.get_result)
    error = handle.get_status().error
    DBOS.destroy()
    return [kind, str(error), error.name, isinstance(error.data, str)]


# The last one: its version is the latest from then on.
@behaviour([["v7", "local"], ["v7", "local"], ["v7", "local"]], launched=False)
def version_and_executor_are_known_without_a_launch(config: dict[str, Any]) -> list[Any]:
    DBOS(config={**config, "application_version": "v7"})
    told = [[DBOS.application_version, DBOS.executor_id]]
    DBOS.launch()
    told.append([DBOS.application_version, DBOS.executor_id])
    DBOS.destroy()
    return [*told, [DBOS.application_version, DBOS.executor_id]]
