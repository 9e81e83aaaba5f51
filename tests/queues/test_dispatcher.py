"""The dispatcher with a real host: what runs, how soon, and how many statements waiting costs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from dboshub.queues.engine import queue_state
from dboshub.queues.engine.ports import Claim, Survey
from dboshub.queues.engine.settings import QueueSettings, RateLimit
from dboshub.queues.storage import registry
from dboshub.queues.storage.store import QueueStore
from dboshub.workflows.engine.records import INTERNAL_QUEUE, ClaimedWorkflow
from dboshub.workflows.storage.database import Database
from tests.queues.counted import CountedDatabase
from tests.queues.host import ThreadHost, dispatching
from tests.queues.rows import APP, PAUSE, UNPAUSE, VERSION, columns_of, enqueue, run
from tests.support.eventually import eventually

REGISTRAR = registry.Registrar(APP, VERSION)


def register(database: Database, name: str = "q", **settings: object) -> None:
    with database.writing() as session:
        registry.register(
            session,
            REGISTRAR,
            QueueSettings(name=name, **settings),  # type: ignore[arg-type]
            on_conflict="always_update",
            now=1,
        )


def claim_of(database: Database, count: int) -> Claim:
    """A claim of so many workflows."""
    enqueue(database, count=count)
    store = QueueStore(database, application=APP, version=VERSION, executor_id="local")
    return store.claim(QueueSettings(name="q"), ["t"] * count, lambda partition: 0)


def test_everything_enqueued_runs_once_and_in_order(database: Database) -> None:
    register(database)
    waiting = enqueue(database, count=250)
    host = ThreadHost(database, slots=1_000)
    with dispatching(database, host):
        eventually(lambda: len(host.started) == 250)
    assert host.started == waiting


def test_a_wake_starts_work_long_before_the_next_look(database: Database) -> None:
    register(database)
    host = ThreadHost(database)
    with dispatching(database, host, polling_interval=60) as dispatcher:
        eventually(lambda: dispatcher._queues)
        [workflow_id] = enqueue(database)
        dispatcher.wake("q")
        eventually(lambda: host.started == [workflow_id])


def test_an_unnamed_wake_finds_the_queue_by_looking(database: Database) -> None:
    register(database)
    host = ThreadHost(database)
    with dispatching(database, host, polling_interval=60) as dispatcher:
        eventually(lambda: dispatcher._queues)
        [workflow_id] = enqueue(database)
        dispatcher.wake()
        eventually(lambda: host.started == [workflow_id])


def test_a_queue_registered_a_moment_ago_is_found_when_it_is_woken(database: Database) -> None:
    host = ThreadHost(database)
    with dispatching(database, host, polling_interval=60) as dispatcher:
        eventually(lambda: dispatcher._queues)
        register(database)
        [workflow_id] = enqueue(database)
        dispatcher.wake("q")
        eventually(lambda: host.started == [workflow_id])


def test_queues_of_other_processes_wake_nobody_here(database: Database) -> None:
    host = ThreadHost(database)
    with dispatching(database, host, polling_interval=60, listen=["served"]) as dispatcher:
        eventually(lambda: dispatcher._queues)
        dispatcher.wake("served")
        eventually(lambda: "served" in dispatcher._unknown_queues)
        with dispatcher._changed:
            dispatcher.wake("not-served")
            dispatcher.wake("served")
            assert dispatcher._woken == {}


def test_work_nobody_announced_is_found_by_the_next_look(database: Database) -> None:
    register(database)
    host = ThreadHost(database)
    with dispatching(database, host, polling_interval=0.05) as dispatcher:
        eventually(lambda: dispatcher._queues)
        [workflow_id] = enqueue(database)
        eventually(lambda: host.started == [workflow_id])


def test_an_idle_process_asks_one_question_per_interval_for_all_queues(
    database: Database,
) -> None:
    for number in range(30):
        register(database, f"q{number}")
    counted = CountedDatabase(database)
    store = QueueStore(counted, application=APP, version=VERSION, executor_id="local")
    began = time.monotonic()
    with dispatching(database, ThreadHost(database), store, polling_interval=0.1):
        eventually(lambda: len(counted.statements) >= 8)
        asked, elapsed = [*counted.statements], time.monotonic() - began
    assert len(set(asked)) == 1
    assert len(asked) <= elapsed / 0.095 + 2


def test_claims_that_enqueues_cause_keep_their_distance(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_state, "PACE_S", 0.4)
    monkeypatch.setattr(queue_state, "MAX_PACE_S", 0.4)
    register(database)
    counted = CountedDatabase(database)
    store = QueueStore(counted, application=APP, version=VERSION, executor_id="local")
    host = ThreadHost(database, slots=1_000)
    with dispatching(database, host, store, polling_interval=60) as dispatcher:
        eventually(lambda: dispatcher._queues)
        dispatcher._queues["q"].pace = 0.4
        counted.statements.clear()
        began = time.monotonic()
        for _ in range(40):
            enqueue(database)
            dispatcher.wake("q")
        eventually(lambda: len(host.started) == 40, timeout=30)
        claims, elapsed = len(counted.statements), time.monotonic() - began
    assert claims <= elapsed / 0.4 + 1


def test_their_distance_grows_while_many_arrive_and_shrinks_by_degrees(database: Database) -> None:
    register(database)
    state = queue_state.QueueClaimState(QueueSettings(name="q"))
    pauses = []
    for count in (8, 8, 8, 8, 8, 1, 8, 1, 1, 1, 1):
        state.claimed(claim_of(database, count), 100, 0.0)
        pauses.append(round(state.pace * 1_000, 2))
    assert pauses == [8, 16, 32, 50, 50, 25, 50, 25, 12.5, 6.25, 4]


def test_no_wake_is_lost_however_they_come(database: Database) -> None:
    limits: dict[str, dict[str, int]] = {
        "free": {},
        "shared": {"concurrency": 2},
        "worker": {"worker_concurrency": 2},
        "lanes": {"partition_concurrency": 1},
    }
    for name, settings in limits.items():
        register(database, name, **settings)
    host = ThreadHost(database, slots=5)
    with dispatching(database, host, polling_interval=60) as dispatcher:
        eventually(lambda: dispatcher._queues)

        def enqueuer(name: str) -> list[str]:
            ids = []
            for number in range(40):
                ids += enqueue(database, name, queue_partition_key=f"{number % 3}")
                dispatcher.wake(name, is_local=number % 2 == 0)
            return ids

        with ThreadPoolExecutor(4) as enqueuers:
            waiting = [each for ids in enqueuers.map(enqueuer, limits) for each in ids]
        eventually(lambda: len(host.started) == 160, timeout=30)
    assert sorted(host.started) == sorted(waiting)


def test_free_slots_bound_what_is_claimed(database: Database) -> None:
    register(database)
    waiting = enqueue(database, count=20)
    held = threading.Event()
    host = ThreadHost(database, slots=4, body=lambda workflow: bool(held.wait(10)))
    with dispatching(database, host, polling_interval=0.05):
        eventually(lambda: len(host.started) == 4)
        assert [columns_of(database, each, "status")[0] for each in waiting] == (
            ["PENDING"] * 4 + ["ENQUEUED"] * 16
        )
        held.set()
        eventually(lambda: len(host.started) == 20)
    assert host.most["q"] == 4


def test_an_ended_workflow_makes_room_at_once(database: Database) -> None:
    register(database, concurrency=1)
    waiting = enqueue(database, count=15)
    host = ThreadHost(database)
    with dispatching(database, host, polling_interval=60):
        eventually(lambda: len(host.started) == 15, timeout=30)
    assert host.started == waiting
    assert host.most["q"] == 1


def test_a_rate_limit_lets_the_next_wave_go_when_its_period_is_over(database: Database) -> None:
    register(database, limiter=RateLimit(3, 0.4))
    enqueue(database, count=9)
    host = ThreadHost(database)
    began = time.monotonic()
    with dispatching(database, host, polling_interval=60):
        eventually(lambda: len(host.started) == 9)
    assert time.monotonic() - began >= 0.8


def test_worker_concurrency_bounds_this_process(database: Database) -> None:
    register(database, worker_concurrency=3)
    enqueue(database, count=12)
    host = ThreadHost(database)
    with dispatching(database, host, polling_interval=60):
        eventually(lambda: len(host.started) == 12)
    assert host.most["q"] <= 3


def test_partitions_run_side_by_side_each_within_its_limit(database: Database) -> None:
    register(database, partition_concurrency=1)
    lanes = {key: enqueue(database, queue_partition_key=key, count=4) for key in ("a", "b", "ü/::")}
    host = ThreadHost(database)
    with dispatching(database, host, polling_interval=60):
        eventually(lambda: len(host.started) == 12)
    for key, waiting in lanes.items():
        assert [each for each in host.started if each in waiting] == waiting
        assert host.most[f"q/{key}"] == 1


def test_queues_share_the_slots_and_the_internal_one_goes_first(database: Database) -> None:
    for name in ("a", "b", "c"):
        register(database, name)
        enqueue(database, name, count=50)
    internal = enqueue(database, INTERNAL_QUEUE, count=4)
    held = threading.Event()
    host = ThreadHost(database, slots=16, body=lambda workflow: bool(held.wait(10)))
    with dispatching(database, host):
        eventually(lambda: len(host.started) == 16)
        assert host.started[:4] == internal
        assert [host.running_on(name) for name in ("a", "b", "c")] == [4, 4, 4]
        held.set()


def test_a_share_that_is_not_used_goes_to_the_others(database: Database) -> None:
    register(database, "few")
    register(database, "many")
    enqueue(database, "few")
    enqueue(database, "many", count=50)
    held = threading.Event()
    host = ThreadHost(database, slots=16, body=lambda workflow: bool(held.wait(10)))
    with dispatching(database, host):
        eventually(lambda: len(host.started) == 16)
        assert (host.running_on("few"), host.running_on("many")) == (1, 15)
        held.set()


def test_only_the_queues_listened_to_are_served(database: Database) -> None:
    register(database, "mine")
    register(database, "theirs")
    [left] = enqueue(database, "theirs")
    wanted = enqueue(database, "mine") + enqueue(database, INTERNAL_QUEUE)
    host = ThreadHost(database)
    with dispatching(database, host, listen=["mine"], polling_interval=0.05) as dispatcher:
        dispatcher.wake("theirs")
        eventually(lambda: sorted(host.started) == sorted(wanted))
        [last] = enqueue(database, "mine")
        eventually(lambda: last in host.started)
    assert columns_of(database, left, "status") == ("ENQUEUED",)


def test_an_operators_edit_takes_effect_without_a_restart(database: Database) -> None:
    register(database, concurrency=1)
    enqueue(database, count=6)
    held = threading.Event()
    host = ThreadHost(database, body=lambda workflow: bool(held.wait(10)))
    with dispatching(database, host, polling_interval=0.05):
        eventually(lambda: len(host.started) == 1)
        register(database, concurrency=4)
        eventually(lambda: len(host.started) == 4)
        held.set()
        eventually(lambda: len(host.started) == 6)
    assert host.most["q"] == 4


def test_a_pause_holds_the_queue_and_its_end_releases_it(database: Database) -> None:
    register(database)
    run(database, PAUSE, name="q")
    [workflow_id] = enqueue(database)
    [marker] = enqueue(database, INTERNAL_QUEUE)
    host = ThreadHost(database)
    with dispatching(database, host, polling_interval=0.05) as dispatcher:
        dispatcher.wake("q")
        eventually(lambda: host.started == [marker])
        run(database, UNPAUSE, name="q")
        eventually(lambda: host.started == [marker, workflow_id])


def test_after_stop_claiming_nothing_new_starts(database: Database) -> None:
    register(database)
    host = ThreadHost(database)
    with dispatching(database, host, polling_interval=0.05) as dispatcher:
        enqueue(database)
        eventually(lambda: len(host.started) == 1)
        dispatcher.stop_claiming()
        [left] = enqueue(database)
        dispatcher.wake("q")
        assert dispatcher.stop()
    assert columns_of(database, left, "status") == ("ENQUEUED",)


class FailingStore(QueueStore):
    """A store whose database is away, before or after the claim was committed."""

    def __init__(self, database: Database, *, committed: bool) -> None:
        super().__init__(database, application=APP, version=VERSION, executor_id="local")
        self.away = False
        self.attempts = 0
        self._committed = committed

    def survey(self) -> list[Survey]:
        self._refuse()
        return super().survey()

    def read_back(self, queue: QueueSettings, tokens: Sequence[str]) -> list[ClaimedWorkflow]:
        self._refuse()
        return super().read_back(queue, tokens)

    def claim(
        self,
        queue: QueueSettings,
        tokens: Sequence[str],
        running_here: Callable[[str], int],
        *,
        with_inputs: bool = True,
    ) -> Claim:
        if self._committed and self.away:
            super().claim(queue, tokens, running_here, with_inputs=with_inputs)
        self._refuse()
        return super().claim(queue, tokens, running_here, with_inputs=with_inputs)

    def _refuse(self) -> None:
        if self.away:
            self.attempts += 1
            raise ConnectionError("the server is gone")


@pytest.mark.parametrize("committed", [True, False])
def test_an_outage_is_outlived_and_told_once(
    database: Database, committed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    register(database)
    host = ThreadHost(database)
    store = FailingStore(database, committed=committed)
    with dispatching(database, host, store, polling_interval=60) as dispatcher:
        eventually(lambda: dispatcher._queues)
        store.away = True
        waiting = enqueue(database, count=3)
        dispatcher.wake("q")
        eventually(lambda: store.attempts >= 3)
        store.away = False
        eventually(lambda: sorted(host.started) == waiting)
    assert caplog.text.count("Claiming from queues fails") == 1


def test_a_workflow_that_cannot_start_does_not_stop_the_others(database: Database) -> None:
    register(database)
    bad, good = enqueue(database, count=2)

    class PickyHost(ThreadHost):
        def run_claimed(self, workflow: ClaimedWorkflow) -> None:
            if workflow.workflow_id == bad:
                raise LookupError("no such function")
            super().run_claimed(workflow)

    host = PickyHost(database)
    with dispatching(database, host):
        eventually(lambda: host.started == [good])


def test_several_dispatchers_never_exceed_a_shared_limit(database: Database) -> None:
    register(database, concurrency=5, limiter=RateLimit(1_000, 60))
    waiting = enqueue(database, count=60)
    lock, running, most = threading.Lock(), 0, 0

    def body(workflow: ClaimedWorkflow) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1

    hosts = [ThreadHost(database, body=body) for _ in range(3)]
    with (
        dispatching(database, hosts[0], polling_interval=0.05),
        dispatching(database, hosts[1], polling_interval=0.05),
        dispatching(database, hosts[2], polling_interval=0.05),
    ):
        eventually(lambda: sum(len(host.started) for host in hosts) == 60, timeout=30)
    assert most <= 5
    assert sorted(each for host in hosts for each in host.started) == waiting
