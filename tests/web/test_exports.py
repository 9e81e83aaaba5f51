"""Exports: what a filter leaves, as a file, for who asked and may see it, within bounds."""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.http import StreamingHttpResponse
from django.test import AsyncRequestFactory, Client

from dboshub.exports import sources, store, views, writer
from dboshub.exports.formats import cell
from dboshub.exports.store import Export
from dboshub.exports.views import PIECE_BYTES, _streamed
from dboshub.workflows.connection import atomic
from dboshub.workflows.models import AuditEvent, ScopeRule, Workflow, WorkflowInput
from dboshub.workflows.storage.sql import Session
from tests.support.eventually import eventually
from tests.support.runs import T0, add_workflow, pickled

pytestmark = pytest.mark.django_db

NEW = "/exports/new/"
HOSTILE = '=HYPERLINK("http://evil.example")'


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.DBOSHUB_DATA_DIR = tmp_path
    return tmp_path / "exports"


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Written within the request: a thread would not see what this test's transaction holds."""
    monkeypatch.setattr(writer, "start_writing", lambda export: store.update(writer.write(export)))


@pytest.fixture
def reader(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(
        make_user("rea", "dboshub_workflows.view_workflow", "dboshub_workflows.view_payload")
    )
    return client


@pytest.fixture
def viewer(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("vic", "dboshub_workflows.view_workflow"))
    return client


def add_many(session: Session, number: int, status: str = "SUCCESS") -> list[str]:
    ids = [f"w-{status[:1]}{each:03}" for each in range(number)]
    for at, each in enumerate(ids):
        add_workflow(session, each, status, created_at=T0 + at, updated_at=T0 + at)
    return ids[::-1]


def export_of(client: Client, **given: str) -> str:
    """The address of a new export."""
    response = client.post(NEW, {"of": "workflows", "format": "csv"} | given)
    assert response.status_code == 302, response.content.decode()
    return str(response["Location"])


def text_of(client: Client, address: str) -> str:
    response = client.get(f"{address}file")
    assert response.status_code == 200, response
    assert response["Content-Disposition"].startswith("attachment; filename=")
    assert response["Cache-Control"] == "no-store"
    content: str = response.getvalue().decode()
    return content


def records(client: Client, address: str) -> list[dict[str, str]]:
    return [*csv.DictReader(StringIO(text_of(client, address), newline=""))]


@pytest.mark.usefixtures("at_once")
def test_a_file_holds_what_the_filter_leaves_in_the_lists_order(viewer: Client) -> None:
    with atomic() as session:
        wanted = add_many(session, 7, "ERROR")
        add_many(session, 5, "SUCCESS")
    found = records(viewer, export_of(viewer, filter="status=ERROR"))
    assert [each["workflow_id"] for each in found] == wanted
    assert {each["status"] for each in found} == {"ERROR"}
    assert found[-1]["created_at"].endswith("Z")
    assert "input" not in found[0]


@pytest.mark.usefixtures("at_once")
def test_every_chunk_is_walked_and_every_row_comes_once(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "CHUNK", 10)
    with atomic() as session:
        wanted = add_many(session, 35)
    address = export_of(viewer, format="ndjson")
    lines = text_of(viewer, address).splitlines()
    assert [json.loads(line)["workflow_id"] for line in lines] == wanted


@pytest.mark.usefixtures("at_once")
def test_a_full_file_says_so_and_a_further_one_holds_the_rest(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "CHUNK", 10)
    monkeypatch.setattr(writer, "MAX_BYTES", 2_000)
    with atomic() as session:
        wanted = add_many(session, 35)
    address, found = export_of(viewer), list[str]()
    while True:
        found += [each["workflow_id"] for each in records(viewer, address)]
        export = store.find(address.split("/")[-2], str(User.objects.get().pk))
        assert export is not None
        assert ("there are older rows" in viewer.get(address).content.decode()) is bool(
            export.older
        )
        if not export.older:
            break
        address = export_of(viewer, after=export.older)
    assert found == wanted


@pytest.mark.usefixtures("at_once")
def test_no_cell_begins_like_a_formula(viewer: Client) -> None:
    with atomic() as session:
        add_workflow(session, "@w", "SUCCESS", name=HOSTILE, queue_name='a,\n"b"', priority=-3)
    (found,) = records(viewer, export_of(viewer))
    assert found["name"] == f"'{HOSTILE}"
    assert found["workflow_id"] == "'@w"
    assert found["queue"] == 'a,\n"b"'
    assert found["priority"] == "-3"


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\t=1", "\r=1"])
def test_a_cell_that_a_spreadsheet_would_run_is_text(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert cell(f"a{text}") == f"a{text}"


def add_secretive(workflow_id: str = "w") -> None:
    given = pickled({"args": (), "kwargs": {"item": "tea", "password": "hunter2"}})
    with atomic() as session:
        add_workflow(session, workflow_id, "SUCCESS", serialization="py_pickle")
    Workflow.objects.filter(pk=workflow_id).update(inputs=None, attributes={"tenant": "acme"})
    WorkflowInput.objects.update_or_create(pk=workflow_id, defaults={"inputs": given})


@pytest.mark.usefixtures("at_once")
def test_payloads_leave_with_permission_reason_and_audit_row_and_without_secrets(
    reader: Client,
) -> None:
    add_secretive()
    given = {"of": "workflows", "format": "csv", "payload": "1", "filter": "status=SUCCESS"}
    refused = reader.post(NEW, given)
    assert refused.status_code == 422
    assert "needs a reason" in refused.content.decode()
    address = export_of(reader, **given, reason="ticket 7")
    (found,) = records(reader, address)
    assert "tea" in found["input"]
    assert "hunter2" not in found["input"]
    assert json.loads(found["attributes"]) == {"tenant": "acme"}
    begun, downloaded = AuditEvent.objects.order_by("pk")
    assert (begun.action, begun.target, begun.reason) == ("export", "status=SUCCESS", "ticket 7")
    assert begun.detail["payload"] is True
    assert (downloaded.action, downloaded.target_kind) == ("download", "export")


@pytest.mark.usefixtures("at_once")
def test_without_the_permission_no_payload_leaves(viewer: Client) -> None:
    add_secretive()
    page = viewer.get(f"{NEW}?of=workflows&status=SUCCESS").content.decode()
    assert 'name="payload"' not in page
    given = {"of": "workflows", "format": "csv", "payload": "1", "reason": "curious"}
    assert viewer.post(NEW, given).status_code == 403
    assert "tea" not in text_of(viewer, export_of(viewer))


@pytest.mark.usefixtures("at_once")
def test_who_lost_the_permission_gets_nothing_more(reader: Client) -> None:
    add_secretive()
    address = export_of(reader, payload="1", reason="ticket 7")
    user = User.objects.get(username="rea")
    user.user_permissions.remove(Permission.objects.get(codename="view_payload"))
    assert reader.get(f"{address}file").status_code == 403
    export = store.find(address.split("/")[-2], str(user.pk))
    assert export is not None
    with pytest.raises(writer.StoppedError):
        writer.write(export)


@pytest.mark.usefixtures("at_once")
def test_an_export_holds_what_its_maker_sees_and_is_gone_when_that_changes(viewer: Client) -> None:
    with atomic() as session:
        add_workflow(session, "mine", "SUCCESS", application_name="shop")
        add_workflow(session, "theirs", "SUCCESS", application_name="bank")
    everything = export_of(viewer)
    assert len(records(viewer, everything)) == 2
    group = Group.objects.create(name="shopkeepers")
    ScopeRule.objects.create(group=group, application="shop")
    User.objects.get().groups.add(group)
    assert viewer.get(f"{everything}file").status_code == 404
    (found,) = records(viewer, export_of(viewer))
    assert found["workflow_id"] == "mine"


@pytest.mark.usefixtures("at_once")
def test_an_export_is_its_makers_alone(
    viewer: Client, folder: Path, make_user: Callable[..., Any]
) -> None:
    address = export_of(viewer)
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    viewer.force_login(make_user("eve", "dboshub_workflows.view_workflow"))
    for method, end in (("get", ""), ("get", "file"), ("post", "discard")):
        assert getattr(viewer, method)(f"{address}{end}").status_code == 404
    assert address not in viewer.get("/exports/").content.decode()


@pytest.mark.usefixtures("at_once")
def test_an_export_expires_with_its_file(
    viewer: Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = export_of(viewer)
    assert address in viewer.get("/exports/").content.decode()
    monkeypatch.setattr(store, "EXPIRES_MS", -1)
    assert viewer.get(f"{address}file").status_code == 404
    viewer.get("/exports/")
    assert [*folder.iterdir()] == []


@pytest.mark.usefixtures("at_once")
def test_one_timer_deletes_all_exports_of_a_process_as_they_expire(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers: list[tuple[float, Callable[[], None]]] = []

    class Timer(threading.Timer):
        def start(self) -> None:
            timers.append((self.interval, self.function))

    monkeypatch.setattr(writer, "Timer", Timer)
    export_of(viewer)
    writer._sweep_later()
    address = export_of(viewer)
    writer._sweep_later()
    [(seconds, sweep)] = timers
    assert seconds == pytest.approx(store.EXPIRES_MS / 1_000, abs=60)
    sweep()
    assert len(timers) == 2
    assert address in viewer.get("/exports/").content.decode()
    monkeypatch.setattr(store, "EXPIRES_MS", -1)
    sweep()
    assert len(timers) == 2
    assert [*store.all_exports()] == []
    assert writer.SWEEP_TIMER.acquire(blocking=False)
    writer.SWEEP_TIMER.release()


@pytest.mark.usefixtures("at_once")
def test_a_discarded_export_is_gone_and_is_not_written_on(viewer: Client, folder: Path) -> None:
    address = export_of(viewer)
    export = store.find(address.split("/")[-2], str(User.objects.get().pk))
    assert export is not None
    assert viewer.post(f"{address}discard")["Location"] == "/exports/"
    assert [*folder.iterdir()] == []
    assert viewer.get(address).status_code == 404
    with pytest.raises(writer.StoppedError):
        writer.write(export)


@pytest.mark.usefixtures("at_once")
def test_there_are_only_so_many(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_PER_USER", 2)
    first = export_of(viewer)
    export_of(viewer)
    refused = viewer.post(NEW, {"of": "workflows", "format": "csv", "reason": "more"})
    assert refused.status_code == 409
    assert 'value="more"' in refused.content.decode()
    viewer.post(f"{first}discard")
    export_of(viewer)


def test_a_directory_that_cannot_be_written_to_is_said_to_be_so(
    viewer: Client, settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no directory")
    settings.DBOSHUB_DATA_DIR = tmp_path / "file"
    store.sweep_at_start()
    refused = viewer.post(NEW, {"of": "workflows", "format": "csv"})
    assert refused.status_code == 409
    assert "cannot be written to" in refused.content.decode()


def test_what_a_dead_process_left_says_that_it_will_not_end(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "start_writing", lambda export: None)
    address = export_of(viewer)
    assert "It waits for another export" in viewer.get(address).content.decode()
    assert viewer.get(f"{address}file").status_code == 404
    monkeypatch.setattr(store, "SILENT_MS", -1)
    assert "The process that wrote it has ended" in viewer.get(address).content.decode()


@pytest.mark.usefixtures("at_once")
def test_the_audit_log_is_exported_by_who_may_see_it(
    client: Client, make_user: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "CHUNK", 3)
    for number in range(8):
        AuditEvent.objects.create(
            username="olga",
            action="cancel",
            target_kind="workflow",
            target=f"t{number}",
            outcome="done",
            detail={"was": number},
        )
    AuditEvent.objects.create(username="ada", action="fork", target_kind="workflow", target="x")
    client.force_login(make_user("aud", "dboshub_workflows.view_auditevent"))
    assert "of=audit&amp;user=olga" in client.get("/audit/?user=olga").content.decode()
    found = records(client, export_of(client, of="audit", filter="user=olga"))
    assert [each["target"] for each in found] == [f"t{number}" for number in reversed(range(8))]
    assert json.loads(found[0]["detail"]) == {"was": 7}
    assert client.post(NEW, {"of": "workflows", "format": "csv"}).status_code == 403


def test_the_list_leads_there_with_its_filter(viewer: Client) -> None:
    with atomic() as session:
        add_workflow(session, "w", "ERROR")
    page = viewer.get("/workflows/?status=ERROR").content.decode()
    link = f'href="{NEW}?of=workflows&amp;status=ERROR"'
    assert link in page
    asked = viewer.get(f"{NEW}?of=workflows&status=ERROR&since=nonsense").content.decode()
    assert 'name="filter" value="status=ERROR&amp;since=nonsense"' in asked
    assert "is not a time" in asked


@pytest.mark.parametrize("query", ["", "?of=secrets", "?of=%00"])
def test_only_what_is_listed_can_be_exported(viewer: Client, query: str) -> None:
    assert viewer.get(f"{NEW}{query}").status_code == 404
    assert viewer.post(NEW, {"of": "workflows", "format": "exe"}).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_it_is_written_in_the_background_and_says_how_far_it_is(viewer: Client) -> None:
    with atomic() as session:
        add_many(session, 20)
    address = export_of(viewer, filter="status=SUCCESS")
    eventually(lambda: "It is ready" in viewer.get(address).content.decode())
    assert 'data-kind="export"' in viewer.get(address).content.decode()
    assert len(records(viewer, address)) == 20


@pytest.mark.django_db(transaction=True)
def test_one_that_fails_says_why_and_leaves_no_file(
    viewer: Client, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    broken = replace(sources.SOURCES["workflows"], chunk=fail)
    monkeypatch.setattr(writer, "SOURCES", {"workflows": broken})
    address = export_of(viewer)
    eventually(lambda: "It failed: disk is full" in viewer.get(address).content.decode())
    eventually(lambda: not [*folder.glob("*.data")])


def fail(export: Export, user: Any, after: str) -> sources.Chunk:
    raise OSError("disk is full")


def test_views_and_work_agree_on_what_there_is() -> None:
    assert views.SOURCES is writer.SOURCES


async def test_a_file_is_read_no_faster_than_it_is_sent(
    tmp_path: Path, async_rf: AsyncRequestFactory
) -> None:
    path = tmp_path / "export"
    path.write_bytes(b"x" * (2 * PIECE_BYTES + 1))
    file = path.open("rb")
    response = _streamed(async_rf.get("/"), file, "text/csv")
    assert isinstance(response, StreamingHttpResponse)
    assert response["Content-Length"] == str(2 * PIECE_BYTES + 1)
    sent: list[int] = []
    async for piece in response:
        sent.append(len(piece))
        assert file.tell() == sum(sent)
    assert sent == [PIECE_BYTES, PIECE_BYTES, 1]
    assert file.closed
