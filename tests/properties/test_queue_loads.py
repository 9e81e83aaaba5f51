"""No load breaks a limit, starts a workflow twice, or leaves one behind that is due."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dboshub.queues.engine.settings import QueueSettings, RateLimit
from dboshub.workflows.storage.database import Database
from tests.properties.loads import Load, fresh_name
from tests.properties.profiles import long, quick
from tests.queues.test_dispatcher import register

few = st.integers(1, 3)
engine = st.integers(0, 2)
rate = st.builds(RateLimit, few, st.sampled_from([0.5, 2.0]))
_of_queue = {"concurrency": few, "worker_concurrency": st.just(1), "limiter": rate}
_of_partition = {
    "partition_concurrency": few,
    "partition_worker_concurrency": st.just(1),
    "partition_limiter": rate,
}
limits = st.fixed_dictionaries({}, optional=_of_queue | _of_partition)
happenings = st.lists(
    st.one_of(
        st.tuples(
            st.just("enqueue"),
            st.integers(1, 4),
            st.integers(0, 2),
            st.sampled_from("xy"),
            st.sampled_from([0, 0, 700]),
        ),
        st.tuples(st.just("deduplicate"), st.sampled_from("kl"), st.sampled_from("xy")),
        st.tuples(st.just("claim"), engine, st.integers(1, 4)),
        st.tuples(st.just("claim"), engine, st.integers(1, 4)),
        st.tuples(st.just("finish"), st.integers(0, 5)),
        st.tuples(st.just("die"), engine),
        st.tuples(st.just("pass_time"), st.integers(1, 1_500)),
    ),
    min_size=4,
    max_size=20,
)


def bear(database: Database, limits: dict[str, Any], happenings: list[tuple[Any, ...]]) -> None:
    name = fresh_name()
    register(database, name, **limits)
    load = Load(database, QueueSettings(name=name, **limits))
    load.enqueue(3, 1, "x", 0)
    for happening, *details in happenings:
        getattr(load, happening)(*details)
    load.drain()


@quick(25)
@given(limits=limits, happenings=happenings)
def test_no_load_breaks_a_limit_or_leaves_anything_behind(
    database: Database, limits: dict[str, Any], happenings: list[tuple[Any, ...]]
) -> None:
    bear(database, limits, happenings)


@pytest.mark.crash
@pytest.mark.timeout(1800)
@long(1_000)
@given(limits=limits, happenings=happenings)
def test_a_thousand_loads_break_no_limit_and_leave_nothing_behind(
    database: Database, limits: dict[str, Any], happenings: list[tuple[Any, ...]]
) -> None:
    bear(database, limits, happenings)
