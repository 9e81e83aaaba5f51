"""What a run that a person starts is given, written as the ticker writes it, without unpickling.

A context of plain data is read by the symbolic reader and encoded anew; stored bytes are never
loaded and never passed through.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dboshub.schedules.engine.records import Schedule
from dboshub.workflows.engine.serialization import Codec
from dboshub.workflows.payloads import PICKLED, read
from dboshub.workflows.payloads.plain_values import plain
from dboshub.workflows.payloads.tree import NONE, Mapping, Node, Scalar
from dboshub.workflows.payloads.tree import Sequence as Items


class PlainCodec(Codec):
    """Writes pickles and reads only those that hold plain JSON types, as inert trees."""

    def decode(self, text: str | None, name: str | None) -> Any:
        return plain(read(text, name))


def is_pickle(schedule: Schedule) -> bool:
    """Whether its context is in the format of Python's library, and so its runs' inputs, too."""
    return schedule.context.startswith(PICKLED)


def takes_two_times(schedule: Schedule, recorded: Node | None) -> bool:
    """Whether its workflow is given the tick's and the actual time, as `@DBOS.scheduled` has it.

    What an earlier run was given proves it. Without one, a schedule that is named like its
    workflow and sets nothing else is what the decorator makes.
    """
    if schedule.schedule_name != schedule.workflow_name or read(schedule.context, None) != NONE:
        return False
    arguments = _arguments(recorded)
    if len(arguments) == 2:
        second = arguments[1]
        return isinstance(second, Scalar) and second.kind == "datetime.datetime"
    return not (schedule.cron_timezone or schedule.queue_name or schedule.automatic_backfill)


def _arguments(inputs: Node | None) -> Sequence[Node]:
    if not isinstance(inputs, Mapping):
        return ()
    named = {key.text: value for key, value in inputs.items if isinstance(key, Scalar)}
    args = named.get("args")
    return args.items if isinstance(args, Items) else ()
