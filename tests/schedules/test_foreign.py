"""Schedules of the real `dbos`: a person starts runs while it is stopped, and it executes them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

THEIRS = """
import json, os, sys
from dbos import DBOS

DBOS(config={"name": "theirs", "system_database_url": sys.argv[1]})

@DBOS.workflow()
def report(at, context):
    return [at.isoformat(), context]

DBOS.launch()
if len(sys.argv) == 2:
    DBOS.create_schedule(
        schedule_name="hourly", workflow_fn=report, schedule="0 * * * *",
        context={"limit": 10**20, "tables": ["a", None]}, cron_timezone="Europe/Berlin",
    )
print(json.dumps([DBOS.retrieve_workflow(each).get_result() for each in sys.argv[2:]]))
sys.stdout.flush()
os._exit(0)
"""

OURS = """
import json
from datetime import datetime
import django
django.setup()
from django.core.management import call_command
from dboshub.workflows.actions.terminal_user import TerminalUser
from dboshub.schedules import actions
from dboshub.workflows.actions.audit import Actor

call_command("migrate", verbosity=0)
actor = Actor(TerminalUser())
at = datetime.fromisoformat("2026-01-05T08:00:00+00:00")
print(json.dumps([actions.trigger(actor, "hourly"), *actions.backfill(actor, "hourly", at, at)]))
"""


def run(program: str, *words: str, **environment: str) -> list[object]:
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answer: list[object] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def test_the_real_library_carries_out_what_was_started_here(
    database_url: str, tmp_path: Path
) -> None:
    assert run(THEIRS, database_url) == []
    ids = run(
        OURS,
        DJANGO_SETTINGS_MODULE="dboshub.settings",
        DBOS_SYSTEM_DATABASE_URL=database_url,
        DBOSHUB_DATA_DIR=str(tmp_path),
    )
    assert ids[1] == "sched-hourly-2026-01-05T09:00:00+01:00"
    triggered, backfilled = run(THEIRS, database_url, *map(str, ids))
    context = {"limit": 10**20, "tables": ["a", None]}
    assert backfilled == ["2026-01-05T09:00:00+01:00", context]
    assert triggered == [str(ids[0]).removeprefix("sched-hourly-trigger-"), context]
