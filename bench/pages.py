"""Every page over a million skewed workflows and ten million steps: server time of each; and of
the list's filters, on PostgreSQL, milliseconds and rows examined, page 1 and page 10.

Rows examined is what PostgreSQL counts: rows read by scans plus rows thrown away by filters. A
filter that no index serves runs as a walk with a budget of its own, 200 ms a page.

The database is made anew, on a server of its own, and deleted; one that --url names is made
once, kept, and measured again as it is.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.http import QueryDict

from bench.filling import MOTHER, fill
from dboshub.workflows.search.criteria import parse
from dboshub.workflows.selectors.keyset.pages import Page, WorkflowPager, read_cursor
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.schema.migrate import migrate
from dboshub.workflows.storage.sql import Session, Statement
from tests.support.postgres import durable_server
from tests.workflows.selectors.test_plans import MOST, Spy

FILTERS = (
    "",
    "status=SUCCESS",
    "status=ERROR",
    "status=failed",
    "status=ENQUEUED",
    "status=in_flight",
    "queue=slow",
    "id=abc",
    "since=24h",
    "name=common",
    "name=rare",
    "name=absent",
    "app=tiny",
    f"parent={MOTHER}",
    "top=1",
    "attr.tier=gold",
    "attr.customer=4004",
)
PAGES = (1, 10)
FIRST = Statement("SELECT 1 FROM {workflow_status} LIMIT 1")


@dataclass
class Cost:
    """What showing one page took; `examined` is of its dearest statement."""

    milliseconds: float = 0.0
    examined: int = 0
    rows: int = 0
    reached: bool = False


def show(session: Session, query: str, cursor: str) -> tuple[Page, Cost]:
    """Read one page twice: once for the time, once asking what each statement examined."""
    now = int(time.time() * 1_000)
    criteria, place = parse(QueryDict(query), now=now, attributes=True), read_cursor(cursor)
    spy = Spy(session)
    begun = time.perf_counter()
    page = WorkflowPager(session, criteria).after(place)
    milliseconds = (time.perf_counter() - begun) * 1000
    WorkflowPager(spy.spied(), criteria).after(place)
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


def examine(database: Database) -> bool:
    """Print what the list's filters cost; whether each statement was within its budget."""
    kept = True
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
    return kept


@contextmanager
def place(options: argparse.Namespace) -> Iterator[str]:
    """The address of the database: the one that is kept, or a new one until the end."""
    if options.url:
        yield options.url
    elif options.sqlite:
        with tempfile.TemporaryDirectory() as directory:
            yield f"sqlite:///{Path(directory) / 'pages.db'}"
    else:
        with durable_server().fresh_database() as url:
            yield url


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="workflows, of ten steps each")
    parser.add_argument("--sqlite", action="store_true", help="a file instead of PostgreSQL")
    parser.add_argument("--url", help="a database of yours to make, or to measure again")
    options = parser.parse_args()

    settings.configure()
    with place(options) as url:
        database = open_database(url)
        migrate(database)
        with database.reading() as session:
            is_filled = session.one(FIRST) is not None
        database.close()
        if not is_filled:
            print(f"Making {options.rows:,} workflows", flush=True)
            fill(url, options.rows)
        kept = True
        if database.vendor == "postgresql":
            database = open_database(url)
            kept = examine(database)
            database.close()
        kept &= every_page(url)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
