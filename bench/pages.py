"""Every page over a million skewed workflows and ten million steps: server time of each; and of
the list's filters, on PostgreSQL, milliseconds and rows examined, page 1 and page 10.

Rows examined is what PostgreSQL counts: rows read by scans plus rows thrown away by filters. A
filter that no index serves is searched within a time limit of its own, here 200 ms.

Both databases are made anew, PostgreSQL on a server of its own, and deleted; one that --url names
is made once, kept, and measured again as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import QueryDict

from bench import recording
from bench.engine import machine
from bench.filling import MOTHER, STEPS_EACH, fill
from bench.first_paint import first_paint
from bench.page_report import document, is_kept, line
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
POSTGRES, SQLITE = "PostgreSQL", "SQLite"
# Up to a million workflows, and beyond.
LIMIT_MS, LARGE_MS = 100.0, 150.0
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


def every_page(url: str, limit_ms: float) -> list[dict[str, Any]]:
    """The pages themselves, in a process of their own that is set up as a web process is."""
    with tempfile.TemporaryDirectory() as data:
        given = {"DBOS_SYSTEM_DATABASE_URL": url, "DBOSHUB_DATA_DIR": data}
        environment = os.environ | given | {"DJANGO_SETTINGS_MODULE": "dboshub.settings"}
        figures = Path(data) / "pages.json"
        times = ["-m", "bench.page_times", "--limit-ms", str(limit_ms), "--json", str(figures)]
        setup = ["migrate", "-v0"], ["collectstatic", "-v0", "--noinput"]
        for command in [*(["manage.py", *words] for words in setup), times]:
            subprocess.run([sys.executable, *command], env=environment, check=True)
        visits: list[dict[str, Any]] = json.loads(figures.read_text())
        return visits


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
def place(vendor: str) -> Iterator[str]:
    """The address of a new database, which is gone at the end."""
    if vendor == SQLITE:
        with tempfile.TemporaryDirectory() as directory:
            yield f"sqlite:///{Path(directory) / 'pages.db'}"
    else:
        with durable_server().fresh_database() as url:
            yield url


def make(url: str, rows: int, steps_each: int) -> None:
    """Fill the database, unless it has been filled before."""
    database = open_database(url)
    migrate(database)
    with database.reading() as session:
        is_filled = session.one(FIRST) is not None
    database.close()
    if not is_filled:
        print(f"Making {rows:,} workflows", flush=True)
        fill(url, rows, steps_each)


def measure(url: str, options: argparse.Namespace) -> tuple[list[dict[str, Any]], bool]:
    """What each page took, and whether each statement of the list was within its budget."""
    make(url, options.rows, options.steps)
    kept, database = True, open_database(url)
    if database.vendor == "postgresql":
        kept = examine(database)
    database.close()
    visits = every_page(url, limit_ms(options.rows))
    if not options.no_browser:
        visits.append(first_paint(url))
        print(line(visits[-1]), flush=True)
    return visits, kept


def limit_ms(rows: int) -> float:
    """Within how many milliseconds of server time a page answers, in the median."""
    return LIMIT_MS if rows <= 1_000_000 else LARGE_MS


def wanted(options: argparse.Namespace) -> list[str]:
    """The databases to measure."""
    if options.url:
        return [POSTGRES if options.url.startswith("postgres") else SQLITE]
    return [options.only] if options.only else [POSTGRES, SQLITE]


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=lambda text: int(float(text)), default=1_000_000)
    parser.add_argument("--steps", type=int, default=STEPS_EACH, help="of each workflow")
    parser.add_argument("--only", choices=[POSTGRES, SQLITE], help="one of the two databases")
    parser.add_argument("--url", help="a database of yours to make, or to measure again")
    parser.add_argument("--no-browser", action="store_true", help="without the first paint")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--record", action="store_true", help="keep them, and show them in docs")
    return parser.parse_args()


def main() -> int:
    options = parsed()
    settings.configure()
    kept = True
    found = {
        "facts": machine.facts(),
        "rows": options.rows,
        "steps_each": options.steps,
        "databases": (databases := {}),
    }
    for name in wanted(options):
        print(f"\n{name}", flush=True)
        with nullcontext(options.url) if options.url else place(name) as url:
            databases[name], is_within = measure(url, options)
            kept &= is_within
    kept &= all(is_kept(visit) for visits in databases.values() for visit in visits)
    if options.json:
        options.json.write_text(recording.as_json(found))
    if options.record:
        recording.record(f"pages-{options.rows}", found, document(found))
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
