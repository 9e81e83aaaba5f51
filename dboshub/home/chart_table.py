"""The charts as rows of a table: about a hundred, so no template is interpreted for each."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.html import escape
from django.utils.safestring import SafeString

from dboshub.workflows.rendering.charts import Link, percentiles
from dboshub.workflows.rendering.components import absolute_time, duration
from dboshub.workflows.rollups.series import TimeBucket


def table_rows(buckets: Iterable[TimeBucket], link: Link) -> SafeString:
    """A row for each bucket in which a workflow was created or ended."""
    return SafeString(
        "".join(
            _row(each, link(each))
            for each in buckets
            if each.ended or each.tally.outcomes["created"]
        )
    )


def _row(bucket: TimeBucket, url: str) -> str:
    outcomes = bucket.tally.outcomes
    counts = outcomes["created"], outcomes["succeeded"], bucket.failed, outcomes["cancelled"]
    cells = [f"{number:,}" for number in counts] + [*map(duration, percentiles(bucket).values())]
    return (
        f'<tr><th scope="row"><a href="{escape(url)}">{absolute_time(bucket.at)}</a></th>'
        f"{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    )
