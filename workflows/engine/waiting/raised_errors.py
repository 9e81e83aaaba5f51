"""Errors that workflows of this process raised, where their records do not restore them."""

from __future__ import annotations

import threading
from collections import OrderedDict

MOST = 1_000


class RaisedErrors:
    """The latest such errors, without their tracebacks, at most MOST of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[str, BaseException]] = OrderedDict()

    def keep(self, workflow_id: str, text: str, error: BaseException) -> None:
        """Keep an error that was recorded as `text`."""
        with self._lock:
            self._kept[workflow_id] = (text, _without_traceback(error))
            self._kept.move_to_end(workflow_id)
            if len(self._kept) > MOST:
                self._kept.popitem(last=False)

    def find(self, workflow_id: str, text: str) -> BaseException | None:
        """The error that a workflow raised, if `text` is what it recorded."""
        with self._lock:
            kept = self._kept.get(workflow_id)
        return _without_traceback(kept[1]) if kept is not None and kept[0] == text else None


def _without_traceback(error: BaseException) -> BaseException:
    # A traceback would keep all variables of the workflow.
    copied = type(error).__new__(type(error))
    copied.args = error.args
    vars(copied).update(vars(error))
    return copied
