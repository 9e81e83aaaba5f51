"""The workflow list over a million skewed rows: milliseconds and rows examined, page 1 and page 10;
then, with ten steps each, the server time of every page.

Rows examined is what PostgreSQL counts: rows read by scans plus rows thrown away by filters. A
filter that no index serves runs as a walk with a budget of its own, 200 ms a page.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

from django.conf import settings
from django.http import QueryDict

from tests.selectors.test_plans import MOST, SKEWED, T0, Spy
from tests.support.postgres import durable_server
from workflows.filters import parse
from workflows.selectors.listing import Lister, Page, read_cursor
from workflows.storage.database import open_database
from workflows.storage.schema.migrate import migrate
from workflows.storage.sql import Session

FILTERS = (
    *("", "status=SUCCESS", "status=ERROR", "status=failed", "status=ENQUEUED", "status=in_flight"),
    *("queue=slow", "id=abc", "since=2022-04-15T06:00", "name=common", "name=rare", "name=absent"),
    *("app=tiny", "parent=mother", "top=1"),
)
PAGES = (1, 10)
STEPS_EACH = 10
STEPS = """
INSERT INTO dbos.operation_outputs
    (workflow_uuid, function_id, function_name, output, serialization,
     started_at_epoch_ms, completed_at_epoch_ms)
SELECT workflow_uuid, n, 'step-' || n % 7, '1', 'portable_json', created_at + n, created_at + n + 1
FROM dbos.workflow_status CROSS JOIN generate_series(1, %s) AS n
"""


@dataclass
class Cost:
    """What showing one page took; `examined` is of its dearest statement."""

    milliseconds: float = 0.0
    examined: int = 0
    rows: int = 0
    reached: bool = False


def show(session: Session, query: str, cursor: str) -> tuple[Page, Cost]:
    """Read one page twice: once for the time, once asking what each statement examined."""
    criteria, place = parse(QueryDict(query), now=T0), read_cursor(cursor)
    spy = Spy(session)
    begun = time.perf_counter()
    page = Lister(session, criteria).after(place)
    milliseconds = (time.perf_counter() - begun) * 1000
    Lister(spy.spied(), criteria).after(place)
    return page, Cost(milliseconds, max(spy.examined, default=0), len(page.rows), True)


def walk(session: Session, query: str) -> dict[int, Cost]:
    """Turn the pages of one filter up to the tenth."""
    costs = {number: Cost() for number in PAGES}
    cursor = ""
    for number in range(1, max(PAGES) + 1):
        page, cost = show(session, query, cursor)
        if number in costs:
            costs[number] = cost
        if page.older is None:
            break
        cursor = page.older
    return costs


def every_page(url: str) -> bool:
    """The pages themselves, in a process of their own that is set up as a web process is."""
    with tempfile.TemporaryDirectory() as data:
        given = {"DBOS_SYSTEM_DATABASE_URL": url, "DBOSHUB_DATA_DIR": data}
        environment = os.environ | given | {"DJANGO_SETTINGS_MODULE": "dboshub.settings"}
        setup = ["migrate", "-v0"], ["collectstatic", "-v0", "--noinput"]
        commands = [*(["manage.py", *words] for words in setup), ["-m", "bench.page_times"]]
        for command in commands:
            code = subprocess.run([sys.executable, *command], env=environment, check=False)
            if code.returncode:
                return False
    return True


def cell(cost: Cost) -> str:
    if not cost.reached:
        return f"{'no such page':>32}"
    return f"{cost.milliseconds:>10.1f}{cost.examined:>14,}{cost.rows:>8}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()

    settings.configure()
    kept = True
    with durable_server().fresh_database() as url:
        database = open_database(url)
        migrate(database)
        print(f"Filling {options.rows:,} rows", flush=True)
        script = database.dialect.compile(SKEWED.replace("{count}", str(options.rows)))
        with database.connect_raw() as raw:
            raw.execute(script.replace("%%", "%").encode())
            raw.execute("VACUUM dbos.workflow_status")
        heads = "".join(f"{f'p.{n} ms':>10}{'examined':>14}{'rows':>8}" for n in PAGES)
        print(f"\n{'filter':<26}{heads}")
        with database.reading() as session:
            for query in FILTERS:
                costs = walk(session, query)
                within = all(cost.examined <= MOST for cost in costs.values())
                kept &= within
                cells = "".join(map(cell, costs.values()))
                print(f"{query or '(none)':<26}{cells}{'' if within else '  OVER'}", flush=True)
        print(f"\nBudget: {MOST:,} rows examined by a statement.")
        print(f"Filling {options.rows * STEPS_EACH:,} steps", flush=True)
        with database.connect_raw() as raw:
            raw.execute(STEPS.replace("%s", str(STEPS_EACH)).encode())
            raw.execute("VACUUM ANALYZE dbos.operation_outputs")
        database.close()
        kept &= every_page(url)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
