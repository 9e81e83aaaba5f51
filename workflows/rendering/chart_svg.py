"""The columns of a chart as SVG. A page has hundreds, so no template is interpreted for each."""

from __future__ import annotations

from django.utils.html import escape
from django.utils.safestring import SafeString

from dboshub.workflows.rendering.charts import HEIGHT, Chart, ChartColumn


def chart_columns(chart: Chart, number: int) -> SafeString:
    """All columns of the page's chart of this number: links, and hatched gaps."""
    return SafeString("".join(_column(each, number) for each in chart.columns))


def _column(column: ChartColumn, number: int) -> str:
    place = f'x="{column.x}" y="0" width="{column.width}" height="{HEIGHT}"'
    title = f"<title>{escape(column.title)}</title>"
    if column.is_gap:
        return f'<rect {place} fill="url(#gap-{number})">{title}</rect>'
    parts = "".join(
        f'<rect class="column-part {each.css}" x="{column.x}" y="{each.y}"'
        f' width="{column.width}" height="{each.height}"/>'
        for each in column.rects
    )
    return (
        f'<a class="column" href="{escape(column.url)}" tabindex="-1">{title}'
        f'<rect class="column-hit" {place}/>{parts}</a>'
    )
