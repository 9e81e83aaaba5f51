"""The TypeScript library shares a database with us: rows are read, portable calls cross."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dboshub import DBOSClient, PortableWorkflowError, WorkflowSerializationFormat
from tests.interop.conftest import Run
from tests.interop.executors import OURS, ROOT, TypeScript

pytestmark = [
    pytest.mark.interop,
    pytest.mark.parametrize("database_url", ["postgres"], indirect=True),
]
PORTABLE = WorkflowSerializationFormat.PORTABLE
THERE: Any = {"queue_name": "typescript-queue", "serialization_type": PORTABLE}
PAGES = """
import sys
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.test.utils import override_settings

plain = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
override_settings(STORAGES=settings.STORAGES | plain, ALLOWED_HOSTS=["*"]).enable()
client = Client()
client.force_login(User.objects.create_superuser("ada"))
for page in ("/workflows/", "/workflows/run/native", "/workflows/step/0/native", "/queues/"):
    answer = client.get(page)
    print(page, answer.status_code, "greet" in answer.content.decode())
"""


@pytest.fixture
def typescript(database_url: str, tmp_path: Path) -> Iterator[TypeScript]:
    if shutil.which("npm") is None:
        warnings.warn("NO NPM: interoperation with TypeScript was not tested", stacklevel=1)
        pytest.skip("NO NPM: interoperation with TypeScript was not tested")
    process = TypeScript(database_url, tmp_path)
    yield process
    process.kill()


@pytest.fixture
def client(typescript: TypeScript, database_url: str) -> Iterator[DBOSClient]:
    opened = DBOSClient(system_database_url=database_url)
    yield opened
    opened.destroy()


def test_what_it_ran_is_listed_with_its_steps(typescript: TypeScript, client: DBOSClient) -> None:
    typescript.do("run", "native", "ada", {"polite": True})
    [run] = client.list_workflows(workflow_ids=["native"])
    assert (run.status, run.name, run.application_name) == ("SUCCESS", "greet", "typescript-shop")
    steps = client.list_workflow_steps("native")
    assert (steps[0]["function_id"], steps[0]["function_name"]) == (0, "compose")


def test_its_database_opens_as_it_is_and_pages_show_its_rows(
    typescript: TypeScript, database_url: str, tmp_path: Path, ask: Callable[..., Any]
) -> None:
    typescript.do("run", "native", "ada", {"polite": True})
    [(before,)] = ask("SELECT version FROM {dbos_migrations}")
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "dboshub.settings",
        "DBOS_SYSTEM_DATABASE_URL": database_url,
        "DBOSHUB_DATABASE_URL": f"sqlite:///{tmp_path / 'hub.sqlite3'}",
        "DBOSHUB_DATA_DIR": str(tmp_path),
    }
    for command in (["migrate", "--database", "default"], ["shell", "-c", PAGES]):
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    shown = done.stdout.splitlines()[-4:]
    assert [line.split()[1] for line in shown] == ["200"] * 4
    assert all(line.endswith("True") for line in shown[:2])
    assert ask("SELECT version FROM {dbos_migrations}") == [(before,)]


def test_our_client_enqueues_portable_work_there(client: DBOSClient) -> None:
    handle = client.enqueue({**THERE, "workflow_name": "greet_portable"}, "ada", {"polite": True})
    assert handle.get_result() == {"greeting": "hello ada", "options": {"polite": True}}
    assert client.get_event(handle.workflow_id, "greeted", 20)["name"] == "ada"
    assert [*client.read_stream(handle.workflow_id, "words")] == ["hello ada"]


def test_an_error_from_there_is_a_portable_one(client: DBOSClient) -> None:
    handle = client.enqueue({**THERE, "workflow_name": "fail_portable"}, "on purpose")
    with pytest.raises(PortableWorkflowError, match="on purpose"):
        handle.get_result()


def test_its_client_enqueues_portable_work_here(typescript: TypeScript, run: Run) -> None:
    ours = run(OURS)
    ours.do("queue", "python-queue")
    order = {"workflowName": "portable", "queueName": "python-queue", "workflowID": "crossing"}
    typescript.do("enqueue", order, [21], {"when": "today"})
    assert typescript.do("result", "crossing") == {"doubled": 42, "when": "today"}
    assert typescript.do("event", "crossing", "when") == "today"
    assert ours.do("result", "crossing") == {"doubled": 42, "when": "today"}


def test_a_portable_message_from_there_is_heard_here(typescript: TypeScript, run: Run) -> None:
    ours = run(OURS)
    ours.do("start", "talks", "listener", ["a"])
    typescript.do("send", "listener", "typescript", "topic")
    assert ours.do("result", "listener") == "heard typescript"
