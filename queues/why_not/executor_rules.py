"""Which executors could claim a workflow, and what the nearest of the others lack.

Each rule leaves fewer of them; the first one that leaves none is what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from dboshub.queues.why_not import remedies
from dboshub.queues.why_not.standing import Standing
from dboshub.workflows.rendering.reason import Blocker, Thing
from dboshub.workflows.selectors.executors import Executor

MAX_NAMED = 3


@dataclass(frozen=True, slots=True)
class Rule:
    """`admits` is asked of each executor that the rules before it left; `lacking` describes the
    standing when it left none of them."""

    admits: Callable[[Standing, Executor], bool]
    lacking: Callable[[Standing, Sequence[Executor]], Blocker]


def able(standing: Standing) -> Sequence[Executor]:
    """The executors that could claim it, slots and limits aside."""
    return _after(standing, RULES, standing.executors or ())[0]


def claimants(standing: Standing) -> Sequence[Executor]:
    """Those of the able ones that have room, or all if none has."""
    return _after(standing, CAPACITY_RULES, standing.able)[0] or standing.able


def executor_blocker(standing: Standing) -> Blocker | None:
    """What no executor has; None if one has all, or if no table names executors."""
    if standing.executors is None:
        return None
    if not standing.able:
        return _after(standing, RULES, standing.executors)[1]
    return _after(standing, CAPACITY_RULES, standing.able)[1] if standing.is_usage_known else None


def _after(
    standing: Standing, rules: Sequence[Rule], found: Sequence[Executor]
) -> tuple[Sequence[Executor], Blocker | None]:
    for rule in rules:
        left = [each for each in found if rule.admits(standing, each)]
        if not left:
            return (), rule.lacking(standing, found)
        found = left
    return found, None


def _is_beating(standing: Standing, executor: Executor) -> bool:
    return executor.is_beating


def _is_of_application(standing: Standing, executor: Executor) -> bool:
    return standing.owner in (None, executor.application)


def _is_admitted(standing: Standing, executor: Executor) -> bool:
    return (executor.application, executor.version) in standing.admitted


def _listens(standing: Standing, executor: Executor) -> bool:
    return executor.serves(standing.row.queue_name)


def _knows(standing: Standing, executor: Executor) -> bool:
    return executor.knows(standing.row.name)


def _has_instance(standing: Standing, executor: Executor) -> bool:
    return executor.has_instance_for(standing.row)


def _has_slot(standing: Standing, executor: Executor) -> bool:
    return executor.has_free_slot


def _is_below_worker_limit(standing: Standing, executor: Executor) -> bool:
    most = standing.settings.worker_concurrency if standing.settings else None
    # None and 0 depend on no executor.
    return most is None or most <= 0 or standing.held.get(executor.incarnation, (0, 0))[0] < most


def _is_below_partition_limit(standing: Standing, executor: Executor) -> bool:
    most = standing.settings.partition_worker_concurrency if standing.settings else None
    return most is None or standing.held.get(executor.incarnation, (0, 0))[1] < most


def _nobody(standing: Standing, found: Sequence[Executor]) -> Blocker:
    silent = tuple(_thing(each, "sends no heartbeat") for each in found[:MAX_NAMED])
    text = "no live executor is registered"
    return Blocker("no_executor", text, silent, (remedies.start_worker(),))


def _no_application(standing: Standing, found: Sequence[Executor]) -> Blocker:
    remedy = remedies.start_worker(f"of the application {standing.owner}")
    text = f"no live executor of {standing.owner}"
    return Blocker("no_executor_of_application", text, (), (remedy,))


def _no_version(standing: Standing, found: Sequence[Executor]) -> Blocker:
    row = standing.row
    running = sorted({each.version for each in found if each.version})
    runs = tuple(Thing("version", each, "is running") for each in running[:MAX_NAMED])
    if row.application_version is not None:
        wanted, note = row.application_version, "is needed"
        code, more = "version_not_running", [remedies.fork(row, each) for each in running[:1]]
        of = f" of {row.application_name}" if row.application_name else ""
        text = f"no live executor{of} for version {wanted}"
    else:
        wanted, note = standing.version or "", "is the latest"
        code, more = "latest_version_not_running", [*map(remedies.promote, running[:MAX_NAMED])]
        text = f"it is for the latest version, {wanted}, which no live executor has"
    things = (Thing("version", wanted, note), *runs)
    return Blocker(code, text, things, (remedies.start_version(wanted), *more))


def _nobody_listens(standing: Standing, found: Sequence[Executor]) -> Blocker:
    queue = standing.row.queue_name or ""
    text = f"no live executor serves the queue {queue}"
    others = tuple(_thing(each, "serves other queues") for each in found[:MAX_NAMED])
    missing = (remedies.start_listener(queue), remedies.other_queue(standing.row))
    return Blocker("no_listener", text, others, missing)


def _unknown_name(standing: Standing, found: Sequence[Executor]) -> Blocker:
    row, name = standing.row, standing.row.name or ""
    known = sorted({each for executor in found for each in executor.functions or ()})
    near = get_close_matches(name, known, n=MAX_NAMED)
    like = tuple(Thing("name", each, "is known") for each in near)
    others = _who_know(standing)
    fork = tuple(remedies.fork(row, each.version) for each in others[:1] if each.version)
    runs = tuple(_thing(each, f"knows it as version {each.version}") for each in others)
    missing = (remedies.start_worker(f"whose code has {name}"), *fork)
    text = f"no live executor knows a workflow named {name}"
    return Blocker("unknown_name", text, (*runs, *like), missing)


def _who_know(standing: Standing) -> list[Executor]:
    """Executors of its application that know the name, though they may not claim it."""
    found = [
        each
        for each in standing.executors or ()
        if _is_beating(standing, each) and _is_of_application(standing, each)
        if each.functions is not None and _knows(standing, each)
    ]
    return found[:MAX_NAMED]


def _no_instance(standing: Standing, found: Sequence[Executor]) -> Blocker:
    row = standing.row
    text = f"no live executor has made the instance {row.config_name} of {row.class_name}"
    what = f"whose code makes the instance {row.config_name} before DBOS.launch()"
    return Blocker("no_instance", text, (), (remedies.start_worker(what),))


def _no_slot(standing: Standing, found: Sequence[Executor]) -> Blocker:
    full = tuple(_thing(each, f"{each.taken_slots} of {each.slots} slots") for each in found)
    who = "its executor has" if len(found) == 1 else f"its {len(found)} executors have"
    more = (remedies.start_worker("more"), remedies.more_threads())
    return Blocker("no_free_slot", f"{who} no free slot", full[:MAX_NAMED], more, is_trouble=False)


def _worker_limit(standing: Standing, found: Sequence[Executor]) -> Blocker:
    return _full_workers(standing, found, "worker_concurrency", 0)


def _partition_limit(standing: Standing, found: Sequence[Executor]) -> Blocker:
    return _full_workers(standing, found, "partition_worker_concurrency", 1)


def _full_workers(standing: Standing, found: Sequence[Executor], setting: str, at: int) -> Blocker:
    most = int(getattr(standing.settings, setting))
    held = {each.incarnation: standing.held.get(each.incarnation, (0, 0))[at] for each in found}
    full = tuple(_thing(each, f"runs {held[each.incarnation]}") for each in found[:MAX_NAMED])
    of = " of its partition" if at else ""
    who = "its executor runs" if len(found) == 1 else f"its {len(found)} executors run"
    text = f"{who} the {most:,}{of} that one may at a time"
    lifts = (remedies.raise_limit(standing.row, setting), remedies.start_worker("more"))
    return Blocker(setting, text, full, lifts, is_trouble=False)


def _thing(executor: Executor, note: str) -> Thing:
    return Thing("executor", executor.executor_id, f"{executor.host}, {note}")


RULES = (
    Rule(_is_beating, _nobody),
    Rule(_is_of_application, _no_application),
    Rule(_is_admitted, _no_version),
    Rule(_listens, _nobody_listens),
    Rule(_knows, _unknown_name),
    Rule(_has_instance, _no_instance),
)
CAPACITY_RULES = (
    Rule(_has_slot, _no_slot),
    Rule(_is_below_worker_limit, _worker_limit),
    Rule(_is_below_partition_limit, _partition_limit),
)
