"""The watcher: what it costs, what it survives, when it runs. On both databases in one process."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from dboshub.live.fanout import Broadcaster, Subscriber
from dboshub.live.listener import Listener
from dboshub.live.timed_session import TimedSession
from dboshub.live.watcher import Watcher
from dboshub.queues import live as queues_live
from dboshub.schedules import live as schedules_live
from dboshub.workflows.django_listening import CHANNELS
from dboshub.workflows.engine.background import LoopFailures
from dboshub.workflows.live import registry, rows
from dboshub.workflows.live.source import Timings
from dboshub.workflows.live.subscriptions import Topic
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.database_clock import NOW
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.storage.waiting.notify import listen
from tests.live.foreign import ForeignWriter
from tests.support.eventually import eventually

QUICK = Timings(tick=0.05, min_gap=0.01, ended_interval=0.2, beat=0.2)
# Every tick reads whatever a tick can read, so that how long one takes changes nothing.
ALL_DUE = replace(QUICK, ended_interval=0.0, sweep=0.0, beat=0.0)


class Counting:
    """A database whose dedicated connections write down every statement."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.statements: list[str] = []
        self.opened = 0

    def connect(self) -> Any:
        self.opened += 1
        connection = self._database.connect()
        inner = connection.session

        def execute(text: str, params: dict[str, Any]) -> Any:
            self.statements.append(text)
            return inner._execute(text, params)

        connection.session = Session(inner.dialect, execute, inner._script)
        return connection

    def close(self) -> None:
        """The fixture closes it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


class Page:
    """A viewer without a socket."""

    def __init__(self, broadcaster: Broadcaster, loop: asyncio.AbstractEventLoop) -> None:
        self.broadcaster = broadcaster
        self.subscriber = Subscriber(loop)
        self.seen: dict[str, dict[str, Any]] = {}

    def show(self, *topics: Topic, digest: str = "", since: int = 0) -> Page:
        for topic in topics:
            self.broadcaster.subscribe(self.subscriber, topic, shown=digest, since=since)
        return self

    def read(self) -> dict[str, dict[str, Any]]:
        for text in self.broadcaster.take(self.subscriber)[0]:
            frame = json.loads(text)
            self.seen[frame["topic"]] = frame
        return self.seen


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def counting(database: Database) -> Counting:
    return Counting(database)


@pytest.fixture
def writer(database: Database) -> ForeignWriter:
    return ForeignWriter(database)


@pytest.fixture
def watcher(counting: Counting) -> Iterator[Watcher]:
    sources = {**registry.SOURCES, **queues_live.SOURCES, **schedules_live.SOURCES}
    watcher = Watcher(Broadcaster(), lambda: counting, sources, QUICK)  # type: ignore[arg-type]
    yield watcher
    with watcher.broadcaster.lock:
        everyone = {
            each for known in watcher.broadcaster._by_topic.values() for each in known.shown
        }
    for each in everyone:
        watcher.broadcaster.leave(each)
    eventually(lambda: watcher._thread is None)


def row(key: str, **parts: Any) -> Topic:
    return Topic(kind="row", key=key, **parts)


def per_tick(counting: Counting, watcher: Watcher) -> int:
    """Statements of the largest of some whole ticks, when each begins by asking for the time."""
    start = len(counting.statements)
    ticks = watcher.ticks
    eventually(lambda: watcher.ticks >= ticks + 5, timeout=60)
    clock_reads = {NOW.postgres, NOW.sqlite}
    begun = [
        at for at, text in enumerate(counting.statements) if at >= start and text in clock_reads
    ]
    return max(after - before for before, after in pairwise(begun))


def test_statements_do_not_rise_with_viewers(
    watcher: Watcher, counting: Counting, writer: ForeignWriter, loop: Any
) -> None:
    watcher.timings = ALL_DUE
    for name in ("a", "b"):
        writer.add(name)
    topics = [row("a"), Topic(kind="list", key="1"), Topic(kind="steps", key="a")]
    topics += [Topic(kind=kind) for kind in ("queues", "schedules", "fleet", "beats", "errors")]
    pages = [Page(watcher.broadcaster, loop).show(*topics)]
    eventually(lambda: len(pages[0].read()) == len(topics), timeout=30)
    alone = per_tick(counting, watcher)
    for number in range(500):
        mine = Topic(kind="list", key=str(number), filter=f"name=n{number}")
        pages.append(Page(watcher.broadcaster, loop).show(*topics, row("b"), mine))
    eventually(lambda: all(row("a").id in page.read() for page in pages), timeout=30)
    assert per_tick(counting, watcher) == alone
    writer.change("a", status="ERROR")
    eventually(
        lambda: all("ERROR" in page.read()[row("a").id]["cells"]["status"] for page in pages),
        timeout=30,
    )


def test_a_fragment_is_rendered_once_for_all(
    watcher: Watcher, writer: ForeignWriter, loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[str] = []
    render = rows.row_cells

    def counted(found: Any, **how: Any) -> dict[str, str]:
        rendered.append(found.status)
        return render(found, **how)

    monkeypatch.setattr(rows, "row_cells", counted)
    writer.add("a")
    filters = ("", "status=PENDING", "name=order")
    pages = [
        Page(watcher.broadcaster, loop).show(*[row("a", filter=each) for each in filters])
        for _ in range(20)
    ]
    eventually(lambda: all(len(page.read()) == 3 for page in pages))
    writer.change("a", status="SUCCESS")
    wanted = row("a", filter="status=PENDING").id
    eventually(lambda: all(page.read()[wanted]["matches"] is False for page in pages))
    assert rendered.count("SUCCESS") == 1


def test_it_watches_only_while_somebody_does(
    watcher: Watcher, counting: Counting, writer: ForeignWriter, loop: Any
) -> None:
    assert not counting.opened
    page = Page(watcher.broadcaster, loop).show(row("a"))
    eventually(page.read)
    watcher.broadcaster.leave(page.subscriber)
    eventually(lambda: watcher._thread is None)
    page = Page(watcher.broadcaster, loop).show(row("a"))
    eventually(page.read)
    assert counting.opened == 2


def test_after_a_failed_look_everything_is_read_again(
    watcher: Watcher, writer: ForeignWriter, loop: Any, caplog: Any
) -> None:
    writer.add("a")
    page = Page(watcher.broadcaster, loop).show(row("a"))
    eventually(page.read)
    writer.run("ALTER TABLE {workflow_status} RENAME COLUMN schedule_name TO was_schedule_name")
    eventually(lambda: "live source 'row' fails" in caplog.text)
    writer.run("ALTER TABLE {workflow_status} RENAME COLUMN was_schedule_name TO schedule_name")
    writer.change("a", status="ERROR")
    eventually(lambda: "ERROR" in page.read()[row("a").id].get("cells", {}).get("status", ""))


def test_a_source_that_raises_stops_no_other_topic(
    watcher: Watcher, writer: ForeignWriter, loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = watcher._sources["queues"]
    works = threading.Event()
    monkeypatch.setattr(LoopFailures, "failed", lambda failures, error: 0.01)

    class Raising:
        def poll(self, *args: Any) -> Any:
            if works.is_set():
                return source().poll(*args)
            raise ValueError("of the source")

    watcher._sources = {**watcher._sources, "queues": Raising}  # type: ignore[dict-item]
    writer.add("a")
    page = Page(watcher.broadcaster, loop).show(row("a"), queues := Topic(kind="queues"))
    eventually(lambda: row("a").id in page.read() and page.seen[queues.id].get("failed"))
    writer.change("a", status="SUCCESS")
    eventually(lambda: "SUCCESS" in json.dumps(page.read()[row("a").id]))
    works.set()
    eventually(lambda: not page.read()[queues.id].get("failed"))


def test_a_region_that_cannot_be_rendered_stops_no_other(
    watcher: Watcher, writer: ForeignWriter, loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    render = rows.row_cells

    def fails_for_one(found: Any, **how: Any) -> dict[str, str]:
        if found.workflow_uuid == "bad":
            raise ValueError("a row nobody thought of")
        return render(found, **how)

    monkeypatch.setattr(rows, "row_cells", fails_for_one)
    writer.add("bad")
    writer.add("good")
    page = Page(watcher.broadcaster, loop).show(row("bad"), row("good"))
    eventually(lambda: len(page.read()) == 2)
    assert page.seen[row("bad").id]["failed"] is True
    assert page.seen[row("good").id]["cells"]


def test_hostile_rows_reach_the_page_and_stop_nothing(
    watcher: Watcher, writer: ForeignWriter, loop: Any
) -> None:
    odd = {"name": None, "status": "NO SUCH STATUS", "executor_id": None}
    writer.add("<script>/%2F'\" 🐒", **odd, created_at=-1, updated_at=9_999_999_999_999_999)
    topics = [Topic(kind=kind, key="<script>/%2F'\" 🐒") for kind in ("row", "workflow", "steps")]
    page = Page(watcher.broadcaster, loop).show(*topics)
    eventually(lambda: len(page.read()) == 3)
    assert not any("failed" in frame for frame in page.seen.values())
    assert "<script>" not in json.dumps(page.seen)


def test_who_sees_some_applications_is_pushed_only_those(
    watcher: Watcher, writer: ForeignWriter, loop: Any
) -> None:
    writer.add("mine", application_name="shop")
    writer.add("theirs", application_name="bank")
    writer.add("nobody's")
    seen = [row(key, scope=("shop",)) for key in ("mine", "theirs", "nobody's")]
    count = Topic(kind="list", key="0", scope=("shop",))
    page = Page(watcher.broadcaster, loop).show(*seen, count)
    eventually(lambda: len(page.read()) == 4)
    frames = [page.seen[topic.id] for topic in seen]
    assert ["gone" in frame for frame in frames] == [False, True, True]
    assert page.seen[count.id]["new"] == 1


def test_a_notification_brings_the_next_look_forward(postgres_url: str, loop: Any) -> None:
    from dboshub.workflows.storage.schema.migrate import migrate

    database = open_database(postgres_url)
    migrate(database)
    slow = replace(QUICK, tick=60.0)
    watcher = Watcher(
        Broadcaster(),
        lambda: open_database(postgres_url),
        registry.SOURCES,
        slow,
        Listener(partial(listen, postgres_url, CHANNELS)),
    )
    writer = ForeignWriter(database)
    writer.add("a")
    page = Page(watcher.broadcaster, loop).show(row("a"))
    eventually(page.read)
    listening = (
        "SELECT 1 FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'dboshub-listener'"
    )
    eventually(lambda: _one(database, f"{listening} AND query LIKE 'LISTEN \"dboshub_status%%'"))
    writer.change("a", status="ERROR")
    writer.run("SELECT pg_notify('dboshub_status', '')")
    eventually(lambda: "ERROR" in page.read()[row("a").id]["cells"]["status"])
    watcher.broadcaster.leave(page.subscriber)
    watcher.wake()
    eventually(lambda: watcher._thread is None and not _one(database, listening))
    database.close()


def test_the_watcher_waits_ten_times_as_long_as_its_statements_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watcher = Watcher(Broadcaster(), open_database, {}, QUICK)  # type: ignore[arg-type]
    pauses: list[float] = []
    monkeypatch.setattr(watcher._wake, "wait", lambda rest: pauses.append(rest) or True)
    watcher._wait(0.0, 5.0, None, 0)
    watcher._wait(0.0, 0.0, None, 0)
    assert pauses[0] > 45
    assert all(rest <= QUICK.tick for rest in pauses[1:])


def test_the_time_of_statements_is_measured(database: Database) -> None:
    with database.reading() as session:
        timed = TimedSession(session)
        assert timed.all(NOW)
        before = timed.query_seconds
        assert before > 0
        assert timed.one(NOW)
        assert timed.query_seconds > before


def test_sqlite_brings_a_look_forward_for_what_changed_since_the_last_began(
    sqlite_url: str, loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dboshub.workflows.storage.schema.migrate import migrate

    database = open_database(sqlite_url)
    migrate(database)
    writer = ForeignWriter(database)
    writer.add("a")
    slow = replace(QUICK, tick=60.0)
    watcher = Watcher(Broadcaster(), lambda: open_database(sqlite_url), registry.SOURCES, slow)
    wait = watcher._wait

    def wait_after_a_change(*given: Any) -> None:
        # The subscription itself wakes the watcher, once.
        if not watcher._wake.is_set():
            writer.change("a", status="ERROR")
        wait(*given)

    monkeypatch.setattr(watcher, "_wait", wait_after_a_change)
    page = Page(watcher.broadcaster, loop).show(row("a"))
    eventually(lambda: "ERROR" in page.read()[row("a").id]["cells"]["status"])
    watcher.broadcaster.leave(page.subscriber)
    watcher.wake()
    eventually(lambda: watcher._thread is None)
    database.close()


def _one(database: Database, sql: str) -> Any:
    from dboshub.workflows.storage.sql import Statement

    with database.reading() as session:
        return session.one(Statement(sql))


def test_a_frame_not_yet_sent_is_replaced_by_a_newer_one(loop: Any) -> None:
    broadcaster = Broadcaster()
    page = Page(broadcaster, loop).show(row("a"))
    broadcaster.publish(row("a").id, "1", {"": '{"n":1}'})
    broadcaster.publish(row("a").id, "2", {"1": '{"n":2}'})
    assert broadcaster.take(page.subscriber)[0] == ['{"n":2}']
