"""What cannot be right is refused with the way out, and nothing that was kept is lost."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from dboshub import (
    DBOS,
    DBOSConfig,
    DBOSContextSetAuth,
    SetEnqueueOptions,
    SetWorkflowID,
    SetWorkflowTimeout,
)
from dboshub.workflows.engine.errors import (
    DBOSException,
    DBOSInitializationError,
    DBOSRecoveryError,
    PortableWorkflowError,
)
from dboshub.workflows.engine.records import NewWorkflow
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.journal.insert_workflow import start
from dboshub.workflows.storage.sql import Statement
from tests.support.eventually import eventually

Launch = Callable[..., None]

ROW = Statement("SELECT status, recovery_attempts FROM {workflow_status} WHERE workflow_uuid = :id")
COUNT = Statement("SELECT count(*) FROM {workflow_status}")


def unserialisable() -> Any:
    return threading.Lock()


@DBOS.step()
def bad_step_ok() -> str:
    return "fine"


@DBOS.step()
def bad_step_result() -> Any:
    return unserialisable()


@DBOS.workflow()
def bad_echo(value: Any) -> Any:
    return value


@DBOS.workflow()
def bad_result() -> Any:
    bad_step_ok()
    return unserialisable()


@DBOS.workflow()
def bad_goes_on(what: str) -> list[Any]:
    """Meets something that cannot be kept, catches the error, and goes on."""
    caught = ""
    try:
        BAD_CALLS[what]()
    except Exception as error:
        caught = "\n".join([str(error), *getattr(error, "__notes__", ())])
    return [caught, bad_step_ok()]


BAD_CALLS: dict[str, Callable[[], Any]] = {
    "an event": lambda: DBOS.set_event("key", unserialisable()),
    "a stream value": lambda: DBOS.write_stream("key", unserialisable()),
    "a message": lambda: DBOS.send(DBOS.workflow_id, unserialisable()),
    "a step's result": bad_step_result,
    "a child's argument": lambda: DBOS.start_workflow(bad_echo, unserialisable()),
    "a child's result": bad_result,
}


@DBOS.workflow()
def bad_set_event(key: Any) -> None:
    DBOS.set_event(key, 1)


@DBOS.workflow()
def bad_write_stream(key: Any) -> None:
    DBOS.write_stream(key, 1)


NAMES = ["a\x00b", "\ud800", 5, None]
CALLS_WITH_NAMES: dict[str, Callable[[Any], Any]] = {
    "SetWorkflowID": SetWorkflowID,
    "enqueue_workflow": lambda name: DBOS.enqueue_workflow(name, bad_echo, 1),
    "send": lambda name: DBOS.send(name, 1),
    "get_event": lambda name: DBOS.get_event(name, "key", 0),
    "get_event's key": lambda name: DBOS.get_event("nobody", name, 0),
    "read_stream": lambda name: list(DBOS.read_stream(name, "key")),
    "set_event": bad_set_event,
    "write_stream": bad_write_stream,
    "deduplication_id": lambda name: SetEnqueueOptions(deduplication_id=name),
    "queue_partition_key": lambda name: SetEnqueueOptions(queue_partition_key=name),
}
MAY_BE_NONE = ("deduplication_id", "queue_partition_key")


# -- values that cannot be kept ------------------------------------------------------------


@pytest.mark.parametrize("what", BAD_CALLS)
def test_what_cannot_be_kept_is_an_error_that_says_what_to_do(what: str, dbos: type[DBOS]) -> None:
    caught, went_on = bad_goes_on(what)
    assert "cannot pickle '_thread.lock' object" in caught
    assert "which cannot be recorded as py_pickle. Pass plain data" in caught
    assert went_on == "fine"


@pytest.mark.parametrize("what", BAD_CALLS)
def test_a_replay_meets_the_same_error_at_the_same_step(what: str, dbos: type[DBOS]) -> None:
    first = bad_goes_on(what)
    [done] = DBOS.list_workflows(name="bad_goes_on")
    steps = len(DBOS.list_workflow_steps(done.workflow_id))
    forked = DBOS.fork_workflow(done.workflow_id, 100)
    again = forked.get_result()
    assert [value.splitlines()[0] for value in again] == [value.splitlines()[0] for value in first]
    assert len(DBOS.list_workflow_steps(forked.workflow_id)) == steps


def test_arguments_that_cannot_be_kept_start_nothing(dbos: type[DBOS]) -> None:
    for call in (
        lambda: bad_echo(unserialisable()),
        lambda: DBOS.start_workflow(bad_echo, unserialisable()),
        lambda: DBOS.enqueue_workflow("queue", bad_echo, unserialisable()),
    ):
        with pytest.raises(TypeError, match=r"argument 'value' of workflow 'bad_echo' is"):
            call()
    assert DBOS.list_workflows() == []


def test_a_result_that_cannot_be_kept_ends_the_workflow_in_error(dbos: type[DBOS]) -> None:
    handle = DBOS.start_workflow(bad_result)
    with pytest.raises(TypeError, match="cannot pickle"):
        handle.get_result()
    status = handle.get_status()
    assert (status.status, status.output) == ("ERROR", None)
    assert "the result of workflow 'bad_result' is of type _thread.lock" in str(status.error)
    assert [step["output"] for step in DBOS.list_workflow_steps(handle.workflow_id)] == ["fine"]


# -- names, ids and times ------------------------------------------------------------------


@pytest.mark.parametrize("call", CALLS_WITH_NAMES)
def test_names_that_no_database_keeps_are_refused(call: str, dbos: type[DBOS]) -> None:
    for name in NAMES[:-1] if call in MAY_BE_NONE else NAMES:
        with pytest.raises(DBOSException, match="give text without NUL"):
            CALLS_WITH_NAMES[call](name)


@pytest.mark.parametrize("blank", ["", "  ", "\n"])
def test_blank_ids_and_queues_are_refused(blank: str, dbos: type[DBOS]) -> None:
    with pytest.raises(DBOSException, match="must be non-empty"):
        SetWorkflowID(blank)
    with pytest.raises(DBOSException, match="give text that is not blank"):
        DBOS.enqueue_workflow(blank, bad_echo, 1)
    with pytest.raises(ValueError, match="give text, not blank"):
        DBOS.register_queue(blank)
    assert DBOS.list_workflows() == []


@pytest.mark.parametrize("seconds", ["soon", float("nan"), float("inf"), 1e30, True])
def test_times_that_cannot_be_counted_are_refused(seconds: Any, dbos: type[DBOS]) -> None:
    for call in (
        lambda: DBOS.get_event("nobody", "key", seconds),
        lambda: SetWorkflowTimeout(seconds),
        lambda: SetEnqueueOptions(delay_seconds=seconds),
    ):
        with pytest.raises(DBOSException, match="give a number of seconds"):
            call()


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"priority": "high"}, "must be between 1~2147483647"),
        ({"priority": 0}, "must be between 1~2147483647"),
        ({"delay_seconds": -1}, "cannot be negative"),
    ],
)
def test_bad_enqueue_options_are_refused(options: dict[str, Any], advice: str) -> None:
    with pytest.raises(DBOSException, match=advice):
        SetEnqueueOptions(**options)


@pytest.mark.parametrize(
    "limits",
    [
        {"worker_concurrency": -1},
        {"concurrency": "many"},
        {"partition_concurrency": 0},
        {"limiter": {"limit": 1, "period": 0}},
        {"limiter": {"limit": 1}},
        {"polling_interval_sec": 0},
    ],
)
def test_bad_limits_of_a_queue_are_refused(limits: dict[str, Any], dbos: type[DBOS]) -> None:
    with pytest.raises(ValueError, match=r"must|needs"):
        DBOS.register_queue("limited", **limits)
    assert DBOS.retrieve_queue("limited") is None


@pytest.mark.parametrize("cron", ["", "often", "* * * *", "61 * * * *", "0 0 30 2 *"])
def test_a_cron_expression_that_never_ticks_is_refused(cron: str, dbos: type[DBOS]) -> None:
    with pytest.raises(DBOSException, match=r"(?i)cron schedule"):
        DBOS.create_schedule(schedule_name="never", workflow_fn=bad_echo, schedule=cron)
    assert DBOS.list_schedules() == []


@pytest.mark.parametrize(
    ("filters", "advice"),
    [
        ({"statsu": "ERROR"}, "unknown filter statsu; known are"),
        ({"status": "FAILED"}, "unknown status FAILED; known are PENDING"),
        ({"limit": -1}, "limit cannot be negative"),
        ({"start_time": "yesterday"}, "is not an ISO 8601 time such as"),
    ],
)
def test_a_filter_that_would_be_ignored_is_refused(
    filters: dict[str, Any], advice: str, dbos: type[DBOS]
) -> None:
    with pytest.raises((DBOSException, TypeError), match=advice):
        DBOS.list_workflows(**filters)


# -- rows that cannot be run ---------------------------------------------------------------


def enqueue_row(database: Database, inputs: str | None, **columns: Any) -> None:
    """A row on the internal queue as some other program may have written it."""
    row: dict[str, Any] = {
        "workflow_uuid": "row",
        "status": "ENQUEUED",
        "name": "bad_echo",
        "queue_name": "_dbos_internal_queue",
        "created_at": 1,
        "updated_at": 1,
        "recovery_attempts": 0,
        "application_name": "test-app",
        "serialization": "portable_json",
    } | columns
    with database.writing() as session:
        start(session, NewWorkflow(**row), inputs or "")
        if inputs is None:
            session.run(Statement("DELETE FROM {workflow_input}"))


@pytest.fixture
def system(dbos: type[DBOS], database_url: str) -> Any:
    """The database that the launched engine uses."""
    database = open_database(database_url)
    yield database
    database.close()


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"name": "bad_unheard_of"}, "bad_unheard_of is not registered here"),
        ({"serialization": "js_superjson"}, "in format 'js_superjson', which this process cannot"),
    ],
)
def test_a_row_for_another_process_stays_and_is_logged(
    columns: dict[str, Any], complaint: str, system: Database, caplog: pytest.LogCaptureFixture
) -> None:
    def row() -> tuple[Any, ...]:
        with system.reading() as session:
            found = session.one(ROW, id="row")
        assert found is not None
        return tuple(found)

    with caplog.at_level(logging.ERROR, "dboshub"):
        enqueue_row(system, json.dumps({"positionalArgs": [1]}), **columns)
        eventually(lambda: complaint in caplog.text)
    # It ran nothing, so it counts as no attempt: waiting for a deployment never dead-letters.
    eventually(lambda: row() == ("ENQUEUED", 0))


@pytest.mark.parametrize(
    ("inputs", "columns", "complaint"),
    [
        (None, {}, "it has no row in workflow_input"),
        ('{"positionalArgs": [1]}', {"serialization": None}, "cannot be read as py_pickle"),
        ("{torn", {}, "cannot be read as portable_json"),
        ("[1]", {}, "cannot be read as portable_json"),
    ],
)
def test_a_row_that_nobody_can_run_ends_in_an_error_that_says_why(
    inputs: str | None, columns: dict[str, Any], complaint: str, system: Database
) -> None:
    enqueue_row(system, inputs, **columns)
    with pytest.raises((DBOSRecoveryError, PortableWorkflowError), match=complaint):
        DBOS.retrieve_workflow("row").get_result()


# -- configuration and databases -----------------------------------------------------------


def configure_and_launch(config: Any) -> None:
    DBOS(config=config)
    DBOS.launch()


@pytest.fixture
def refuse(config: DBOSConfig) -> Any:
    """Launch with a changed configuration, which must fail; returns what it says."""

    def refuse(**changes: Any) -> str:
        try:
            with pytest.raises(DBOSException) as raised:
                configure_and_launch({**config, **changes})
            return str(raised.value)
        finally:
            DBOS.destroy()

    return refuse


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("mysql://ada:secret@host/db", "it must start with sqlite:/// or postgresql://"),
        ("nonsense", "it must start with sqlite:/// or postgresql://"),
        ("postgresql://ada:secret@127.0.0.1:1", "it names no database: add /name at its end"),
        (
            "postgresql://ada:secret@127.0.0.1:1/db",
            "port 1, as user 'ada': Connection refused",
        ),
        (
            "postgresql://ada@127.0.0.1:1/db?password=secret",
            "port 1, as user 'ada': Connection refused",
        ),
        ("sqlite:////no/such/directory/x.sqlite", "there is no directory /no/such/directory"),
        ("sqlite://", "SQLite needs a file"),
        ("", "give text, or leave it out"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_wrong_database_url_is_refused_without_its_password(
    url: str, complaint: str, refuse: Callable[..., str]
) -> None:
    message = refuse(system_database_url=url)
    assert complaint in message
    assert "secret" not in message


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (
            {"databse_url": "x"},
            "unknown configuration databse_url (did you mean database_url?); known: ",
        ),
        ({"database_url": ""}, "give text, or leave it out"),
        ({"conductor_key": "x"}, "replace Conductor"),
        ({"transact_enterprise_key": "x"}, "nothing here needs a licence"),
        ({"auto_upgrade": True}, "with an application_version"),
        ({"db_engine_kwargs": 5}, "is 5: give a dict"),
        ({"db_engine_kwargs": {"pool_size": 0}}, "sys_db_pool_size is 0: give a whole number"),
        ({"name": "My App"}, "Invalid app name My App. App names must be between 3 and"),
        ({"name": None}, "must specify an application name"),
        ({"dbos_system_schema": "pg_own"}, "start with pg_ are PostgreSQL's own"),
        ({"max_executor_threads": 0}, "is 0: give a whole number from 1 to 10000"),
        ({"sys_db_pool_size": "big"}, "is 'big': give a whole number from 1 to 10000"),
        ({"executor_lease_sec": "long"}, "at least 0.003 seconds, got 'long'"),
        ({"executor_lease_sec": -1}, "must be a finite number at least 0.003 seconds, got -1"),
        ({"executor_lease_sec": 3, "executor_heartbeat_sec": 2}, "at least three times"),
        ({"log_level": "loud"}, "give one of CRITICAL, ERROR"),
        ({"serializer": "json"}, "a subclass of dboshub.Serializer"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_wrong_configuration_is_refused_with_what_is_right(
    changes: dict[str, Any], complaint: str, refuse: Callable[..., str]
) -> None:
    assert complaint in refuse(**changes)


def test_conductor_is_refused_where_it_is_named(config: DBOSConfig) -> None:
    with pytest.raises(DBOSInitializationError, match=r"conductor_key is .*runworkers"):
        DBOS(config=config, conductor_key="key")
    with pytest.raises(DBOSInitializationError, match="conductor_url is not supported"):
        DBOS(config=config, conductor_url="wss://example.com")


def test_a_workflow_that_would_upgrade_itself_is_refused() -> None:
    with pytest.raises(DBOSException, match="fork_workflow or rewind_workflow"):
        DBOS.workflow(auto_upgrade=True)
    DBOS.workflow(auto_upgrade=False)


def test_a_database_without_tables_is_not_given_any_unasked(
    database_url: str, refuse: Callable[..., str]
) -> None:
    message = refuse(run_migrations=False)
    assert "run_migrations on" in message or "there is no such file" in message


def test_a_schema_that_is_too_old_is_refused_and_not_touched(
    database: Database, refuse: Callable[..., str]
) -> None:
    enqueue_row(database, "{}")
    with database.writing() as session:
        session.run(Statement("UPDATE {dbos_migrations} SET version = 110"))
    message = refuse()
    assert "schema version 110, and the oldest one that can be opened is 123" in message
    assert "dbos migrate" in message
    with database.reading() as session:
        assert tuple(session.one(COUNT) or ()) == (1,)
        assert tuple(session.one(ROW, id="row") or ()) == ("ENQUEUED", 0)


def test_after_a_refusal_a_right_configuration_launches(
    refuse: Callable[..., str], launch: Launch
) -> None:
    refuse(max_executor_threads=0)
    launch()
    assert bad_echo(1) == 1


# -- values of another type than is meant ------------------------------------------------------


@DBOS.workflow()
def bad_tick(at: Any, context: Any) -> None: ...


WRONG_TYPES: dict[str, Callable[[], Any]] = {
    "one id for many": lambda: DBOS.cancel_workflows("one"),  # type: ignore[arg-type]
    "an id that is no text": lambda: DBOS.cancel_workflow(5),  # type: ignore[arg-type]
    "an id to delete": lambda: DBOS.delete_workflow(5),  # type: ignore[arg-type]
    "an id to resume": lambda: DBOS.resume_workflow(5),  # type: ignore[arg-type]
    "a version": lambda: DBOS.set_latest_application_version(5),  # type: ignore[arg-type]
    "a priority": lambda: SetEnqueueOptions(priority=True),
    "a limit": lambda: DBOS.list_workflows(limit=True),
    "a fraction as a limit": lambda: DBOS.list_workflows(limit=1.5),  # type: ignore[arg-type]
    "an offset": lambda: DBOS.list_workflows(offset="1"),  # type: ignore[arg-type]
    "an offset of a stream": lambda: DBOS.read_stream_offset("one", "key", True),
    "a step": lambda: DBOS.rewind_workflow("one", start_step=True),
    "roles": lambda: DBOSContextSetAuth("ada", "admin"),
    "required roles": lambda: DBOS.required_roles("admin"),
    "automatic backfill": lambda: DBOS.create_schedule(
        schedule_name="bad",
        workflow_fn=bad_tick,
        schedule="0 0 1 1 *",
        automatic_backfill="yes",  # type: ignore[arg-type]
    ),
}


@pytest.mark.parametrize("what", WRONG_TYPES)
def test_a_value_of_another_type_is_refused_by_both_databases(what: str, dbos: type[DBOS]) -> None:
    with pytest.raises(DBOSException):
        WRONG_TYPES[what]()


def test_a_limit_of_a_queue_is_a_number(dbos: type[DBOS]) -> None:
    with pytest.raises(ValueError, match="worker_concurrency must be at least 0"):
        DBOS.register_queue("bad", worker_concurrency=True)
