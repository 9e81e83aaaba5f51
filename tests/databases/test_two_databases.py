"""With DBOSHUB_DATABASE_URL the hub keeps its tables elsewhere: a foreign database gets none."""

from __future__ import annotations

from tests.databases.conftest import Manage, UseUrl
from tests.support.shape import rows_of, tables_of

AUDITED = """
from django.db import connections
from dboshub.workflows.actions import workflow_actions
from dboshub.workflows.actions.audit import Actor
from dboshub.workflows.models import AuditEvent, Workflow
from django.contrib.auth.models import User

ada = User.objects.create_superuser("ada", password="correct horse battery")
one = Workflow.objects.filter(status="ENQUEUED").get()
workflow_actions.cancel(Actor(ada), one.pk)
one.refresh_from_db()
event = AuditEvent.objects.get()
print(one.status, event.outcome, one._state.db, event._state.db)

from dboshub.workflows.connection import reading
from dboshub.workflows.models import Rollup
from dboshub.workflows.models.rollups import MINUTE
from dboshub.workflows.rollups.store import recount_spans
from dboshub.workflows.rollups.lease import LeaseHandle

made, hold = one.created_at // MINUTE * MINUTE, LeaseHandle("rollups", "me")
hold.take(made)
recount_spans(hold, reading, made, made + MINUTE, width=MINUTE)
row = Rollup.objects.filter(scope="all", created__gt=0).get()
print(row._state.db, row.application)
"""

# A process that dies once the other database has committed, and before this one has.
DIES_BETWEEN = """
from django.contrib.auth.models import User
from dboshub.workflows.actions.audit import Actor
from dboshub.workflows.bulk import chunks, job_actions
from dboshub.workflows.bulk.worker import run_round
from dboshub.workflows.models import AuditEvent, BulkItem, BulkJob, Workflow

class Death(BaseException):
    pass

def die(*_):
    raise Death

ada = Actor(User.objects.get())
for verb in ("fork_from_failure", "delete"):
    job = job_actions.create_job(ada, verb, query="status=CANCELLED")
    job_actions.start_job(ada, job.pk)
    close, chunks.Chunk.close = chunks.Chunk.close, die
    try:
        run_round("dies")
    except Death:
        chunks.Chunk.close = close
    left = BulkItem.objects.get(job=job).state
    BulkJob.objects.update(lease_until=0)
    while run_round("takes over") == 0:
        pass
    item, done = BulkItem.objects.get(job=job), BulkJob.objects.get(pk=job.pk).done
    print(left, item.state, done, Workflow.objects.exclude(forked_from=None).count())
print(Workflow.objects.filter(status="CANCELLED").count(), BulkJob.objects.get(pk=1)._state.db)
"""

# What was cancelled goes back onto its queue, and is put back as it was: each time a process dies.
RESUMED_AND_UNDONE = """
from django.contrib.auth.models import User
from dboshub.workflows.actions.audit import Actor
from dboshub.workflows.bulk import chunks, job_actions
from dboshub.workflows.bulk.worker import run_round
from dboshub.workflows.models import BulkItem, BulkJob, Change, Workflow

class Death(BaseException):
    pass

def die(*_):
    raise Death

ada, one = Actor(User.objects.get()), Workflow.objects.get(status="CANCELLED")
def work_after_a_death(job, **how):
    job_actions.start_job(ada, job.pk, **how)
    close, chunks.Chunk.close = chunks.Chunk.close, die
    try:
        run_round("dies")
    except Death:
        chunks.Chunk.close = close
    left = BulkItem.objects.get(job=job).state
    BulkJob.objects.update(lease_until=0)
    while run_round("takes over") == 0:
        pass
    one.refresh_from_db()
    job.refresh_from_db()
    print(left, job.done, job.skipped, one.status, one.queue_name)
    return job

job = job_actions.create_job(ada, "resume", query="status=CANCELLED")
resumed = work_after_a_death(job, options={"queue": "own"})
work_after_a_death(job_actions.create_undo(ada, resumed.pk))
moved = job_actions.create_job(ada, "resume", query="status=CANCELLED")
print(*moved.plan, Change.objects.first()._state.db)
job_actions.discard_job(ada, moved.pk)
"""

# What collectstatic would have made is not what is asked about.
READ_ONLY = """
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connections
from django.db.backends.signals import connection_created
from django.test import Client
from django.test.utils import override_settings
from dboshub.workflows.models import AuditEvent, Workflow

plain = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
override_settings(STORAGES=settings.STORAGES | plain).enable()
FORBID = {
    "sqlite": "PRAGMA query_only = ON",
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
}
def forbid(connection, **_):
    if connection.alias == "system":
        connection.cursor().execute(FORBID[connection.vendor])
connection_created.connect(forbid)
connections["system"].close()
AuditEvent.objects.all().delete()
client = Client(raise_request_exception=False, headers={"host": "localhost"})
client.force_login(User.objects.get())
one = Workflow.objects.filter(status="SUCCESS").first()
for address in (
    f"run/{one.pk}", f"run/{one.pk}", f"value/{one.pk}?of=input&download", f"do/cancel/{one.pk}"
):
    print(client.get(f"/workflows/{address}").status_code)
print(client.get("/hub/").status_code, client.get("/audit/").status_code)
refused = client.post(f"/workflows/do/cancel/{one.pk}", {"reason": "no"})
print(refused.status_code, b"read-only" in refused.content)
print(*AuditEvent.objects.order_by("pk").values_list("action", "outcome"))
"""


def test_a_foreign_database_is_watched_and_steered_without_a_table_of_ours_in_it(
    database_url: str, another_url: str, make_by_dbos: UseUrl, manage: Manage
) -> None:
    make_by_dbos(database_url)
    tables, rows = tables_of(database_url), rows_of(database_url)

    migrated = manage(database_url, "migrate", DBOSHUB_DATABASE_URL=another_url)

    assert migrated.returncode == 0, migrated.stderr
    assert rows_of(database_url) == rows
    acted = manage(database_url, "shell", "-c", AUDITED, DBOSHUB_DATABASE_URL=another_url)
    assert acted.stdout.split()[-6:] == [
        "CANCELLED",
        "done",
        "system",
        "default",
        "default",
        "shop",
    ], acted.stderr
    undone = manage(
        database_url, "shell", "-c", RESUMED_AND_UNDONE, DBOSHUB_DATABASE_URL=another_url
    )
    assert undone.stdout.splitlines()[-3:] == [
        "started 1 0 ENQUEUED orders",
        "started 1 0 CANCELLED None",
        "back onto orders default",
    ], undone.stderr
    died = manage(database_url, "shell", "-c", DIES_BETWEEN, DBOSHUB_DATABASE_URL=another_url)
    assert died.stdout.splitlines()[-3:] == [
        "started done 1 1",
        "started done 1 1",
        "0 default",
    ], died.stderr
    assert tables_of(database_url) == tables
    looked = manage(database_url, "shell", "-c", READ_ONLY, DBOSHUB_DATABASE_URL=another_url)
    assert looked.stdout.splitlines()[-7:] == [
        *["200"] * 4,
        "200 200",
        "503 True",
        "('view payload', 'done') ('download', 'done') ('cancel', 'started')",
    ], looked.stderr
