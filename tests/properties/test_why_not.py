"""The answer to "why not?" is that of real claims.

Whatever it says is missing, a claim succeeds once exactly that is supplied; what it calls the next
is what a free worker claims next; and what it calls blocked, no worker claims.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dboshub.workflows.storage.database import Database
from tests.properties.profiles import long, quick
from tests.properties.waiting_worlds import LEASE_MS, START, TARGET, World

# Lifting these shows the workflow to rules that did not look at it before.
CHANGE_THE_QUESTION = {"delayed", "no_partition_key", "queue_of_other_application"}

few = st.integers(0, 2)
version = st.sampled_from(["v1", "v1", "v2", "gone", None])
application = st.sampled_from(["shop", "shop", "shop", None])
partition = st.sampled_from([None, "x", "x", "y"])
rates = {"rate_limit_max": few, "rate_limit_period_sec": st.sampled_from([0.5, 20.0])}
queue = st.none() | st.builds(
    lambda counts, rate, parts, owner: counts | rate | parts | owner,
    st.fixed_dictionaries({}, optional={"concurrency": few, "worker_concurrency": few}),
    st.just({}) | st.fixed_dictionaries(rates),
    st.just({})
    | st.fixed_dictionaries(
        {"partition_concurrency": st.integers(1, 2)},
        optional={"partition_worker_concurrency": st.just(1)},
    )
    | st.fixed_dictionaries({f"partition_{name}": of for name, of in rates.items()}),
    st.fixed_dictionaries({}, optional={"application_name": st.sampled_from(["shop", "other"])}),
)
workers = st.lists(
    st.fixed_dictionaries(
        {
            "application_name": st.sampled_from(["shop", "shop", "other"]),
            "application_version": st.sampled_from(["v1", "v2"]),
        },
        optional={
            "last_beat_at": st.sampled_from([START, START - LEASE_MS - 1]),
            "declared_dead_at": st.sampled_from([None, START]),
            "queues": st.sampled_from([None, '["mail"]', '["reports"]']),
            "functions": st.sampled_from([None, '{"work": {}}', '{"other": {}}']),
            "busy": st.sampled_from([0, 9]),
        },
    ),
    max_size=3,
)
waiting = {
    "name": st.sampled_from(["work", "work", "renamed"]),
    "priority": few,
    "application_name": application,
    "application_version": version,
    "queue_partition_key": partition,
}
same_time = {"created_at": st.just(START - 990)}
others = st.lists(
    st.fixed_dictionaries(
        {**waiting, "status": st.sampled_from(["ENQUEUED", "PENDING"]), "owner": few},
        optional=same_time,
    ),
    max_size=6,
)
target = st.fixed_dictionaries(waiting, optional=same_time) | st.fixed_dictionaries(
    {
        **waiting,
        "status": st.just("DELAYED"),
        "delay_until_epoch_ms": st.sampled_from([START - 1, START + 60_000]),
    }
)
worlds = st.fixed_dictionaries(
    {
        "queue": queue,
        "is_paused": st.sampled_from([False, False, True]),
        "versions": st.sampled_from([[], ["v1"], ["v1", "v2"], ["v1", "gone"]]),
        "workers": workers,
        "others": others,
        "target": target,
    }
)


def ask(database: Database, given: dict[str, Any]) -> None:
    world = World(database)
    world.build(**given)
    row = given["target"]
    # Else what comes to be its application or version decides over what was not known before.
    is_definite = row["application_name"] and (row["application_version"] or given["versions"])
    for _ in range(4):
        answer = world.answer()
        claims = world.claims()
        if not answer.blockers:
            assert answer.code == "next"
            assert [TARGET] in claims or (world.is_partitioned and any(claims)), claims
            return
        if not any("same millisecond" in each.text for each in answer.blockers):
            assert [TARGET] not in claims, answer
        codes = {each.code for each in answer.blockers}
        for blocker in answer.blockers:
            world.supply(blocker)
        left = world.answer()
        if is_definite and not codes & CHANGE_THE_QUESTION:
            assert not left.blockers, (codes, left)
    raise AssertionError(world.answer())


@quick(120)
@given(world=worlds)
def test_whatever_is_missing_makes_a_claim_succeed(
    database: Database, world: dict[str, Any]
) -> None:
    ask(database, world)


@pytest.mark.crash
@pytest.mark.timeout(1800)
@long(1_500)
@given(world=worlds)
def test_in_thousands_of_worlds_whatever_is_missing_makes_a_claim_succeed(
    database: Database, world: dict[str, Any]
) -> None:
    ask(database, world)
