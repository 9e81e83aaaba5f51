"""The HTTP endpoints for operators: what they do, and what they keep to themselves."""

from __future__ import annotations

import base64
import json
import logging
import os
import pickle
import socket
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any

import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.admin_server.server import MOST_CONNECTIONS
from dboshub.error import DBOSInitializationError
from dboshub.workflows.storage.sql import Statement
from tests.support.eventually import eventually
from tests.support.runs import T0, add_step, add_workflow

Launch = Callable[..., None]
# What asks nothing of the database is shown on the cheaper one.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
TOKEN = "correct-horse-battery"


@DBOS.step()
def fetch(secret: str) -> str:
    return f"fetched {secret}"


@DBOS.workflow()
def fetching(secret: str) -> str:
    return fetch(secret)


@DBOS.workflow()
def awaiting_word() -> Any:
    return DBOS.recv("word", timeout_seconds=60)


def server() -> Any:
    return DBOS._runtime.admin_server


def ask(method: str, path: str, body: Any = None, *, token: str | None = TOKEN) -> tuple[int, Any]:
    """Status and reply: JSON where it is that."""
    connection = HTTPConnection("127.0.0.1", server().port, timeout=10)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        reply = connection.getresponse()
        text = reply.read().decode()
    finally:
        connection.close()
    is_json = reply.headers.get("Content-Type", "").startswith("application/json")
    return reply.status, json.loads(text) if is_json else text


@pytest.fixture
def serving(launch: Launch) -> Launch:
    def launch_it(**changes: Any) -> None:
        launch(admin_token=TOKEN, admin_port=0, **changes)

    return launch_it


@on_sqlite
def test_nothing_listens_without_a_token(
    launch: Launch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    launch(run_admin_server=True, admin_port=0)
    assert server() is None
    assert "DBOSHUB_ADMIN_SERVER_TOKEN" in caplog.text
    DBOS.destroy()
    monkeypatch.setenv("DBOSHUB_ADMIN_SERVER_TOKEN", TOKEN)
    launch(run_admin_server=False, admin_port=0)
    assert server() is None
    DBOS.destroy()
    launch(admin_port=0)
    assert ask("GET", "/dbos-healthz", token=None) == (200, "healthy")


@on_sqlite
def test_a_token_that_can_be_guessed_is_refused_and_not_repeated(launch: Launch) -> None:
    with pytest.raises(DBOSInitializationError) as refused:
        launch(admin_token="secret", admin_port=0)
    assert "16" in str(refused.value)
    assert "secret" not in str(refused.value)


@on_sqlite
def test_a_port_that_is_taken_does_not_keep_workflows_from_running(
    serving: Launch, launch: Launch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        launch(admin_token=TOKEN, admin_port=port)
        assert server() is None
    assert f"no admin server on 127.0.0.1 port {port}" in caplog.text
    assert fetching("x") == "fetched x"


@on_sqlite
def test_nobody_is_answered_without_the_token(serving: Launch) -> None:
    serving()
    fetching("x")
    for method, path in (
        ("GET", "/deactivate"),
        ("GET", "/conductor"),
        ("POST", "/workflows"),
        ("POST", "/dbos-workflow-recovery"),
        ("GET", "/nowhere"),
        ("POST", "/dbos-healthz"),
    ):
        for token in (None, "", "wrong-horse-battery", f"{TOKEN}x", "pässword"):
            status, reply = ask(method, path, token=token)
            assert status == 401, (path, token)
            assert "Bearer" in reply["error"]


def test_workflows_are_listed_and_steered(serving: Launch) -> None:
    serving()
    with SetWorkflowID("done"):
        fetching("x")
    with SetWorkflowID("waits"):
        waits = DBOS.start_workflow(awaiting_word)
    status, done = ask("GET", "/workflows/done")
    assert status == 200
    assert (done["WorkflowUUID"], done["Status"], done["WorkflowName"]) == (
        "done",
        "SUCCESS",
        "fetching",
    )
    assert done["CreatedAt"].isdigit()
    assert [each["function_name"] for each in ask("GET", "/workflows/done/steps")[1]] == ["fetch"]
    _, found = ask("POST", "/workflows", {"workflow_name": "fetching", "sort_desc": True})
    assert [each["WorkflowUUID"] for each in found] == ["done"]
    assert ask("POST", "/queues")[1] == []
    assert ask("POST", "/workflows/waits/cancel") == (204, "")
    assert waits.get_status().status == "CANCELLED"
    assert ask("POST", "/workflows/waits/resume") == (204, "")
    DBOS.send("waits", "go", "word")
    assert DBOS.retrieve_workflow("waits").get_result() == "go"
    status, forked = ask("POST", "/workflows/done/fork", {"start_step": 2, "new_workflow_id": "f"})
    assert (status, forked) == (200, {"workflow_id": "f"})
    assert DBOS.retrieve_workflow("f").get_result() == "fetched x"
    _, again = ask("POST", "/workflows/done/restart")
    assert DBOS.retrieve_workflow(again["workflow_id"]).get_result() == "fetched x"
    DBOS.register_queue("slow", concurrency=2)
    queues = {each["name"]: each for each in ask("GET", "/dbos-workflow-queues-metadata")[1]}
    assert queues["slow"]["concurrency"] == 2
    assert ask("GET", "/conductor") == (200, {"connected": False, "url": None})


@on_sqlite
def test_values_leave_only_where_they_may(serving: Launch) -> None:
    serving()
    with SetWorkflowID("w"):
        fetching("hunter2")
    asked = {"workflow_uuids": ["w"], "load_input": True, "load_output": True}
    replies = [ask("GET", "/workflows/w"), ask("POST", "/workflows", asked)]
    replies.append(ask("GET", "/workflows/w/steps"))
    assert "hunter2" not in json.dumps(replies)
    DBOS.destroy()
    serving(admin_shows_payloads=True)
    assert ask("GET", "/workflows/w")[1]["Output"] == "fetched hunter2"
    assert ask("GET", "/workflows/w/steps")[1][0]["output"] == "fetched hunter2"
    assert ask("POST", "/workflows", {"workflow_uuids": ["w"]})[1][0]["Output"] is None


def test_what_another_executor_left_is_recovered_and_named(serving: Launch) -> None:
    serving()
    with DBOS._runtime.database.writing() as session:
        for name, executor in (("left", "vm-9"), ("kept", "vm-8")):
            add_workflow(
                session,
                name,
                "PENDING",
                name="fetching",
                inputs="x",
                application_name="test-app",
                application_version=DBOS.application_version,
                executor_id=executor,
            )
    assert ask("POST", "/dbos-workflow-recovery", ["vm-9", "nobody"]) == (200, ["left"])
    assert DBOS.retrieve_workflow("left").get_result() == "fetched x"
    assert DBOS.retrieve_workflow("kept").get_status().status == "PENDING"
    assert ask("POST", "/dbos-workflow-recovery", {"a": 1})[0] == 400


def test_old_workflows_are_deleted_or_timed_out(serving: Launch) -> None:
    serving()
    with DBOS._runtime.database.writing() as session:
        for at in range(4):
            add_workflow(session, f"old-{at}", created_at=T0 + at, application_name="test-app")
        add_workflow(session, "runs", "PENDING", created_at=T0, application_name="test-app")
        add_workflow(session, "other", created_at=T0, application_name="other-app")

    def left() -> list[str]:
        return sorted(each.workflow_id for each in DBOS.list_workflows())

    assert ask("POST", "/dbos-garbage-collect", {"cutoff_epoch_timestamp_ms": T0 + 2})[0] == 204
    assert left() == ["old-2", "old-3", "runs"]
    assert ask("POST", "/dbos-garbage-collect", {"rows_threshold": 1}) == (204, "")
    assert left() == ["old-3", "runs"]
    assert ask("POST", "/dbos-global-timeout", {"cutoff_epoch_timestamp_ms": T0 + 1})[0] == 204
    assert DBOS.retrieve_workflow("runs").get_status().status == "CANCELLED"
    assert DBOS.get_workflow_status("other") is not None
    for nonsense in ({}, {"rows_threshold": 0}, {"rows_threshold": "1"}, {"else": 1}, [1]):
        assert ask("POST", "/dbos-garbage-collect", nonsense)[0] == 400
    assert ask("POST", "/dbos-global-timeout", {"cutoff_epoch_timestamp_ms": 10**30})[0] == 400


@on_sqlite
def test_deactivating_ends_claims_and_nothing_else(serving: Launch) -> None:
    serving()
    DBOS.register_queue("later")
    assert ask("GET", "/deactivate") == (200, "deactivated")
    handle = DBOS.enqueue_workflow("later", fetching, "x")
    eventually(lambda: not DBOS._runtime.dispatcher._thread.is_alive())
    assert handle.get_status().status == "ENQUEUED"
    assert fetching("y") == "fetched y"


@on_sqlite
def test_requests_that_cannot_be_served_are_told_why(serving: Launch) -> None:
    serving()
    assert ask("GET", "/nowhere")[0] == 404
    assert ask("GET", "/workflows/unknown")[0] == 404
    assert ask("POST", "/workflows/unknown/resume")[0] == 404
    assert ask("GET", "/workflows")[0] == 405
    assert ask("PUT", "/workflows")[0] == 501
    assert ask("POST", "/workflows", {"colour": "red"})[0] == 400
    assert ask("POST", "/workflows", {"limit": "1"})[0] == 400
    assert ask("POST", "/workflows", [])[0] == 400
    for head, status in (
        (b"POST /workflows HTTP/1.0\r\nContent-Length: 9999999\r\n", b"413"),
        (b"POST /workflows HTTP/1.0\r\nContent-Length: -1\r\n", b"411"),
        (b"POST /workflows HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", b"411"),
        (b"POST /workflows HTTP/1.0\r\nContent-Length: 3\r\n", b"400"),
    ):
        with socket.create_connection(("127.0.0.1", server().port), timeout=10) as connection:
            connection.sendall(head + f"Authorization: Bearer {TOKEN}\r\n\r\n{{x}}".encode())
            assert connection.recv(100).split()[1] == status


@on_sqlite
def test_destroy_does_not_wait_for_a_slow_client(serving: Launch, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG, "dboshub.admin_server")
    serving()
    with socket.create_connection(("127.0.0.1", server().port), timeout=10) as connection:
        connection.sendall(b"POST /workflows HTTP/1.0\r\n")
        eventually(lambda: len(server()._server._connected) == 1)
        DBOS.destroy()
        assert connection.recv(100) == b""


def test_the_token_reaches_no_other_application(serving: Launch, tmp_path: Any) -> None:
    mark = tmp_path / "unpickled"
    serving(name="shop", admin_shows_payloads=True)
    bomb = base64.b64encode(pickle.dumps(Command(f"touch {mark}"))).decode()
    with DBOS._runtime.database.writing() as session:
        for workflow_id, owner in (("mine", "shop"), ("nobodys", None), ("theirs", "bank")):
            add_workflow(session, workflow_id, "SUCCESS", application_name=owner, output="done")
        for table, column in (("workflow_input", "inputs"), ("workflow_output", "output")):
            sql = f"UPDATE {{{table}}} SET {column} = :bomb WHERE workflow_uuid = 'theirs'"
            session.run(Statement(sql), bomb=bomb)
        add_step(session, "theirs", 1, "pay", output=1)
        session.run(Statement("UPDATE {operation_outputs} SET output = :bomb"), bomb=bomb)
    for method, path in (
        *(("GET", "/workflows/theirs"), ("GET", "/workflows/theirs/steps")),
        *(
            ("POST", f"/workflows/theirs/{verb}")
            for verb in ("cancel", "resume", "restart", "fork")
        ),
    ):
        assert ask(method, path)[0] == 404, path
    everything = {"load_input": True, "load_output": True}
    for filters in (
        {"application_name": "bank"},
        {"application_name": ["shop", "bank"]},
        {"workflow_uuids": ["mine", "theirs", "nobodys"]},
        {},
    ):
        status, found = ask("POST", "/workflows", filters | everything)
        assert status == 200
        assert {each["WorkflowUUID"] for each in found} <= {"mine", "nobodys"}
    assert ask("GET", "/workflows/mine")[1]["Output"] == "done"
    cutoff = {"cutoff_epoch_timestamp_ms": T0 + 1_000_000}
    assert ask("POST", "/dbos-garbage-collect", cutoff)[0] == 204
    with DBOS._runtime.database.reading() as session:
        left = session.all(Statement("SELECT workflow_uuid FROM {workflow_status}"))
    assert left == [("theirs",)]
    assert not mark.exists()


class Command:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


@on_sqlite
def test_slow_clients_keep_nobody_out(serving: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    serving()
    address = ("127.0.0.1", server().port)
    slow = [socket.create_connection(address) for _ in range(MOST_CONNECTIONS)]
    try:
        for connection in slow:
            connection.sendall(b"GET /workflows/x HT")
        eventually(lambda: len(server()._server._connected) == MOST_CONNECTIONS)
        assert ask("GET", "/dbos-healthz", token=None) == (200, "healthy")
        assert slow[0].recv(1) == b""
        monkeypatch.setattr("dboshub.admin_server.server.REQUEST_S", 0)
        assert [connection.recv(1) for connection in slow] == [b""] * MOST_CONNECTIONS
    finally:
        for connection in slow:
            connection.close()
