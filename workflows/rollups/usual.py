"""How long workflows of a name usually run."""

from __future__ import annotations

from collections import Counter

from dboshub.workflows.models.rollups import HOUR
from dboshub.workflows.rollups.histogram import percentiles
from dboshub.workflows.rollups.series import series
from dboshub.workflows.selectors.scope import Viewer

DAY = 24 * HOUR


def usual_duration(name: str, application: str | None, now: int) -> int | None:
    """The median run time of the last day in ms, to 10 %; None if none is counted."""
    viewer = Viewer(frozenset({application} if application else ()), unclaimed=not application)
    runs: Counter[int] = Counter()
    for each in series(now - DAY, now, DAY, viewer, name=name):
        runs += each.tally.run
    return percentiles(runs, [0.5])[0]
