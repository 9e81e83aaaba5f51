"""The input of a run that a person starts: equal to the ticker's, written without unpickling.

A context of plain data is read by the symbolic reader and encoded again. Stored bytes are neither
unpickled nor copied.
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
    """Writes pickles, and reads only those of plain JSON types, as inert trees."""

    def decode(self, text: str | None, name: str | None) -> Any:
        return plain(read(text, name))


def is_pickle(schedule: Schedule) -> bool:
    """Whether its context, and so the inputs of its runs, are in the format of Python."""
    return schedule.context.startswith(PICKLED)


def takes_two_times(schedule: Schedule, recorded: Node | None) -> bool:
    """Whether its workflow gets the tick's and the actual time, as with `@DBOS.scheduled`.

    The input of an earlier run decides. Without one, a schedule that is named like its workflow and
    has no other options was created by the decorator.
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
