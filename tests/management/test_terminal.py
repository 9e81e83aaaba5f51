"""Commands at a terminal: what people read, what programs read, and what is refused."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic, reading
from dboshub.workflows.models import AuditEvent, Executor, Workflow
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.schema.state import inspect
from dboshub.workflows.storage.sql import Statement
from tests.support.runs import (
    T0,
    add_event,
    add_message,
    add_step,
    add_stream,
    add_workflow,
    insert,
)

pytestmark = pytest.mark.django_db

COUNT = Statement("SELECT COUNT(*) FROM {workflow_status}")


def told(*words: str) -> str:
    out = io.StringIO()
    command, *rest = words
    call_command(command, *rest, stdout=out)
    return out.getvalue()


def answer(*words: str) -> Any:
    return json.loads(told(*words, "--json"))


@pytest.fixture
def failed() -> str:
    """A workflow that failed in its second step, with an event and a child."""
    with atomic() as session:
        add_workflow(session, "order/1", "ERROR", error="no", completed_at=T0 + 4_000)
        add_step(session, "order/1", 1, "charge", output="receipt")
        add_step(session, "order/1", 2, "ship", error="no")
        add_event(session, "order/1", "stage", "paid")
        add_workflow(session, "order/1-3", parent_workflow_id="order/1")
    return "order/1"


def test_people_get_tables_and_lines(failed: str) -> None:
    table = told("workflow", "list", "--no-sort-desc").splitlines()
    assert table[0].split()[:3] == ["workflow_id", "status", "name"]
    assert table[1].startswith("order/1      ERROR")
    assert "2026-09-21 14:13:20.000Z" in table[1]
    lines = told("workflow", "get", failed)
    assert "status:" in lines
    assert "queue_name" not in lines
    assert told("workflow", "list", "--name", "nothing").strip() == "Nothing found."


def test_a_listing_takes_the_filters_of_the_api(failed: str) -> None:
    def listed(*words: str) -> list[str]:
        return [each["workflow_id"] for each in answer("workflow", "list", *words)]

    assert listed("-S", "ERROR") == [failed]
    assert listed("--prefix", "order/1-") == ["order/1-3"]
    assert listed("-v", "v1", "-l", "1", "-o", "1", "--no-sort-desc") == ["order/1-3"]
    assert listed("-e", "2020-01-01T00:00:00+00:00") == []
    assert answer("workflow", "queue", "list") == []
    with pytest.raises(CommandError, match="not an ISO 8601 time"):
        listed("-t", "yesterday")


def test_events_and_figures_are_shown(failed: str) -> None:
    assert answer("workflow", "events", failed) == [{"key": "stage", "value": '"paid"'}]
    (figures,) = answer("workflow", "aggregate", "--by", "status", "-S", "ERROR")
    assert (figures["group"], figures["count"]) == ({"status": "ERROR"}, 1)
    (steps,) = answer("workflow", "aggregate-steps", "--status", "ERROR")
    assert steps["count"] == 1
    assert "status=ERROR" in told("workflow", "aggregate", "--by", "status")


def test_messages_are_shown_oldest_first_with_the_step_that_took_them(failed: str) -> None:
    assert answer("workflow", "messages", failed) == []
    with atomic() as session:
        add_message(session, failed, "late", topic="paid", created_at_epoch_ms=T0 + 900)
        add_message(session, failed, "early", consumed=True, consumed_by_function_id=3)
    early, late = answer("workflow", "messages", failed)
    assert (early["topic"], early["message"], early["consumed"]) == (None, '"early"', True)
    assert early["consumed_by_function_id"] == 3
    assert (late["topic"], late["message"], late["consumed"]) == ("paid", '"late"', False)
    assert answer("workflow", "messages", failed, "--limit", "1") == [early]
    with pytest.raises(CommandError, match="not a number of rows"):
        told("workflow", "messages", failed, "--limit", "-1")
    table = told("workflow", "messages", failed)
    assert "2026-09-21 14:13:20.500Z" in table
    with pytest.raises(CommandError, match="no workflow 'nobody'"):
        told("workflow", "messages", "nobody")


def test_streams_are_shown_value_by_value_until_they_were_closed(failed: str) -> None:
    assert told("workflow", "streams", failed).strip() == "Nothing found."
    with atomic() as session:
        add_stream(session, failed, "lines", "one", "two", closed=True)
        add_stream(session, failed, "bytes", 7)
    shown = answer("workflow", "streams", failed)
    assert [(each["key"], each["offset"], each["value"], each["closed"]) for each in shown] == [
        ("bytes", 0, "7", False),
        ("lines", 0, '"one"', False),
        ("lines", 1, '"two"', False),
        ("lines", 2, None, True),
    ]
    assert answer("workflow", "streams", failed, "-k", "lines", "-o", "1", "-l", "1") == [shown[2]]
    assert told("workflow", "streams", failed).splitlines()[0].split() == [
        "key",
        "offset",
        "function_id",
        "value",
        "closed",
    ]


def test_failed_ones_are_forked_from_where_they_failed(failed: str) -> None:
    (fork,) = answer("workflow", "fork-from-failure", failed, "--reason", "again")
    assert (fork["forked_from"], fork["status"]) == (failed, "ENQUEUED")
    assert [each["function_id"] for each in answer("workflow", "steps", fork["workflow_id"])] == [1]
    with pytest.raises(CommandError, match="no step 'unknown'"):
        told("workflow", "fork-from-failure", failed, "--step-name", "unknown")
    with pytest.raises(CommandError, match="no workflow 'nobody'"):
        told("workflow", "fork-from-failure", "nobody")


def test_one_that_has_ended_is_rewound(failed: str) -> None:
    assert answer("workflow", "rewind", failed, "--step", "2")["status"] == "ENQUEUED"
    assert [each["function_name"] for each in answer("workflow", "steps", failed)] == ["charge"]
    with pytest.raises(CommandError, match="has not ended"):
        told("workflow", "rewind", failed)
    event = AuditEvent.objects.get(action="rewind", outcome="done")
    assert event.detail["start_step"] == 2


def publish(**functions: Any) -> None:
    """A live executor runs these workflows."""
    Executor.objects.create(
        incarnation="live",
        executor_id="local",
        application_name="shop",
        lease_ms=3_600_000,
        last_beat_at=now_ms(),
        functions=json.dumps(functions),
    )


def test_a_name_that_nobody_runs_is_refused_unless_it_is_meant() -> None:
    publish(checkout={}, refund={})
    with pytest.raises(CommandError, match=r"'chekout'.*Known are: checkout\. --force") as refused:
        told("workflow", "start", "chekout")
    assert "refund" not in str(refused.value)
    with pytest.raises(CommandError, match=r"Known are: checkout, refund\."):
        told("workflow", "start", "\x1b[2J")
    assert Workflow.objects.count() == 0
    assert answer("workflow", "start", "chekout", "--force")["name"] == "chekout"
    assert answer("workflow", "start", "checkout")["name"] == "checkout"
    # What ran lately may be another library's, which publishes nothing.
    assert answer("workflow", "start", "chekout")["name"] == "chekout"


def test_without_an_executor_a_name_is_taken_with_a_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer("workflow", "start", "chekout")
    assert "'chekout' may be unknown" in capsys.readouterr().err
    answer("workflow", "start", "refund", "--force")
    assert capsys.readouterr().err == ""


def test_only_the_workflows_of_the_named_application_are_known() -> None:
    publish(checkout={})
    with pytest.raises(CommandError, match="'checkot'"):
        told("workflow", "start", "checkot", "--application", "shop")
    answer("workflow", "start", "checkot", "--application", "bank")


def test_delays_and_attributes_are_changed() -> None:
    answer("workflow", "start", "checkout", "--id", "late", "--delay", "600")
    assert answer("workflow", "delay", "late", "5")["status"] == "DELAYED"
    answer("workflow", "attributes", "late", '{"a": 1}')
    answer("workflow", "attributes", "late", '{"b": 2}', "--merge")
    assert answer("workflow", "get", "late")["attributes"] == {"a": 1, "b": 2}
    with pytest.raises(CommandError, match="cannot be negative"):
        told("workflow", "delay", "late", "--", "-1")


def test_messages_are_sent_and_what_has_ended_is_deleted(failed: str) -> None:
    answer("workflow", "start", "checkout", "--id", "waits")
    assert answer("workflow", "send", "waits", '{"paid": true}', "--topic", "t") == {
        "sent_to": "waits",
        "topic": "t",
    }
    with pytest.raises(CommandError, match="still active"):
        told("workflow", "delete", "waits")
    assert answer("workflow", "delete", failed, "--children") == {"deleted": failed}
    assert [each["workflow_id"] for each in answer("workflow", "list")] == ["waits"]


def test_workflows_are_carried_by_a_file(failed: str, tmp_path: Path) -> None:
    file = tmp_path / "order.export"
    written = answer("workflow", "export", failed, "--children", "-o", str(file))
    assert written["bytes"] == file.stat().st_size
    with pytest.raises(CommandError, match="already in use"):
        told("workflow", "import", str(file))
    told("workflow", "delete", failed, "--children")
    arrived = answer("workflow", "import", str(file), "--reason", "restored")
    assert [each["workflow_id"] for each in arrived] == [failed, "order/1-3"]
    assert len(answer("workflow", "steps", failed)) == 2
    with pytest.raises(CommandError, match="No such file"):
        told("workflow", "import", str(tmp_path / "nothing"))
    file.write_text("nonsense")
    with pytest.raises(CommandError, match="not an export"):
        told("workflow", "import", str(file))


def test_an_import_that_meets_a_deduplication_id_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "order.export"
    held: dict[str, Any] = {"queue_name": "mail", "deduplication_id": "only one"}
    with atomic() as session:
        add_workflow(session, "first", "ENQUEUED", **held)
    told("workflow", "export", "first", "-o", str(file))
    with atomic() as session:
        session.run(Statement("DELETE FROM {workflow_status}"))
        session.run(Statement("DELETE FROM {workflow_input}"))
        add_workflow(session, "second", "ENQUEUED", **held)
    with pytest.raises(CommandError, match="A part of it is here"):
        told("workflow", "import", str(file), "--resume")
    assert [each["workflow_id"] for each in answer("workflow", "list")] == ["second"]


def test_what_is_imported_does_not_run_before_somebody_resumes_it(tmp_path: Path) -> None:
    file = tmp_path / "order.export"
    with atomic() as session:
        insert(session, "queues", queue_id="q", name="mail")
        add_workflow(session, "first", "ENQUEUED", queue_name="mail", deduplication_id="one")
        add_workflow(session, "child", "PENDING", parent_workflow_id="first", owner_xid="hub:a:1")
        add_step(session, "first", 1, "start", child="child")
        add_step(session, "child", 1, "charge", output="receipt")
        add_message(session, "child", "paid", message_uuid="key::child")
    told("workflow", "export", "first", "--children", "--file", str(file))
    arrived = answer("workflow", "import", str(file), "--prefix", "copy/")
    assert [(each["workflow_id"], each["status"]) for each in arrived] == [
        ("copy/first", "CANCELLED"),
        ("copy/child", "CANCELLED"),
    ]
    assert answer("workflow", "get", "copy/child")["parent_workflow_id"] == "copy/first"
    assert answer("workflow", "steps", "copy/first")[0]["child_workflow_id"] == "copy/child"
    (message,) = answer("workflow", "messages", "copy/child")
    assert message["message_uuid"] == "copy/key::copy/child"
    resumed = answer("workflow", "resume", "copy/first")
    assert (resumed["status"], resumed["queue_name"]) == ("ENQUEUED", "mail")
    event = AuditEvent.objects.get(action="import")
    assert event.detail == {
        "workflows": 2, "first": "copy/first", "prefix": "copy/", "goes_on": False,
    }  # fmt: skip
    with pytest.raises(CommandError, match="already in use"):
        told("workflow", "import", str(file), "--prefix", "copy/")
    with atomic() as session:
        session.run(Statement("UPDATE {workflow_status} SET deduplication_id = NULL"))
    onto = answer("workflow", "import", str(file), "--prefix", "b", "--resume")
    assert [each["status"] for each in onto] == ["ENQUEUED", "ENQUEUED"]


def test_what_is_resumed_goes_back_onto_its_queue_unless_at_once() -> None:
    with atomic() as session:
        insert(session, "queues", queue_id="q", name="mail")
        add_workflow(session, "one", "ENQUEUED", queue_name="mail")
        add_workflow(session, "two", "ENQUEUED", queue_name="mail")
    for each in ("one", "two"):
        told("workflow", "cancel", each)
    assert answer("workflow", "resume", "one")["queue_name"] == "mail"
    at_once = answer("workflow", "resume", "two", "--at-once")
    assert at_once["queue_name"] == "_dbos_internal_queue"


def test_queues_are_registered_changed_paused_and_deleted() -> None:
    made = answer("queue", "add", "mail", "--concurrency", "5", "--limiter", "10", "60")
    assert (made["concurrency"], made["limiter"]) == (5, {"limit": 10, "period": 60.0})
    changed = answer("queue", "change", "mail", "--concurrency", "0", "--worker-concurrency", "2")
    assert (changed["concurrency"], changed["worker_concurrency"]) == (None, 2)
    assert changed["limiter"] == {"limit": 10, "period": 60.0}
    assert answer("queue", "pause", "mail", "--reason", "busy")["paused"] is True
    assert answer("queue", "resume", "mail")["paused"] is False
    assert "mail" in told("queue", "list")
    assert answer("queue", "delete", "mail") == {"deleted": "mail"}
    for words in (("get", "mail"), ("change", "mail"), ("pause", "mail")):
        with pytest.raises(CommandError, match="no queue 'mail'"):
            told("queue", *words)
    with pytest.raises(CommandError, match="reserved"):
        told("queue", "add", "_dbos_mine")


def test_an_application_is_renamed_once_confirmed(failed: str) -> None:
    with pytest.raises(CommandError, match="Confirm it with --yes"):
        told("rename_application", "--from", "shop", "--to", "store")
    counts = answer("rename_application", "--from", "shop", "--to", "store", "-y")
    assert counts["workflows"] == 2
    assert answer("workflow", "get", failed)["application_name"] == "store"
    assert AuditEvent.objects.get(action="rename").target == "shop"
    with pytest.raises(CommandError, match="nothing to rename"):
        told("rename_application", "--to", "store", "-y")


def test_a_reset_empties_the_system_tables_once_confirmed(failed: str) -> None:
    with pytest.raises(CommandError, match="Confirm it with --yes"):
        told("reset")
    with pytest.raises(CommandError, match="--drop needs --url"):
        told("reset", "--drop", "-y")
    assert answer("reset", "-y")["deleted"]["workflow_status"] == 2
    with reading() as session:
        assert session.one(COUNT) == (0,)
    assert AuditEvent.objects.filter(action="reset").exists()


def test_another_database_is_made_emptied_and_dropped(tmp_path: Path) -> None:
    file = tmp_path / "other.sqlite3"
    url = f"sqlite:///{file}"
    assert answer("migrate_system_database", "--url", url)["migrated"] == url
    database = open_database(url)
    with database.writing() as session:
        insert(
            session,
            "workflow_status",
            workflow_uuid="w",
            status="SUCCESS",
            name="w",
            created_at=1,
            updated_at=1,
        )
    assert answer("reset", "-y", "--url", url)["dropped"] is False
    with database.reading() as session:
        assert session.one(COUNT) == (0,)
    assert not inspect(database).empty
    database.close()
    told("reset", "-y", "--url", url, "--drop")
    assert not file.exists()


def test_sql_is_shown_without_doing_it(tmp_path: Path) -> None:
    shown = told("migrate_system_database", "--url", "postgresql://x/y", "--print-sql", "-r", 'a"b')
    assert 'CREATE TABLE IF NOT EXISTS "dbos"."workflow_status"' in shown
    assert 'GRANT USAGE ON SCHEMA "dbos" TO "a""b";' in shown
    url = f"sqlite:///{tmp_path}/none"
    assert "CREATE TABLE" in told("migrate_system_database", "--url", url, "--print-sql")
    with pytest.raises(CommandError, match="SQLite has no roles"):
        told("migrate_system_database", "--url", url, "--print-sql", "-r", "app")
    with pytest.raises(CommandError, match="must start with"):
        told("migrate_system_database", "--url", "mysql://x/y")
