"""The growth chart as SVG: one panel for each line, its cost against its scale.

Both axes are logarithmic. The dashed line is what the logarithm of the scale allows; a cost below
it is kept. Colours follow the reader's preference for light or dark.
"""

from __future__ import annotations

import math
from typing import Any
from xml.sax.saxutils import escape

from bench.growth.verdict import bound

COLUMNS, WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 4, 230, 150, 34, 12, 38, 24
# The panels share the axis of costs, so that they can be compared.
LEAST, MOST = 0.25, 8.0
STYLE = """
    text { font: 11px system-ui, sans-serif; fill: #1f2328 }
    .name { font-weight: 600 }
    .small { font-size: 9px; fill: #59636e }
    .axis { stroke: #d1d9e0; fill: none }
    .bound { stroke: #59636e; stroke-dasharray: 3 3; fill: none }
    circle { fill: #59636e }
    .kept { stroke: #0969da; fill: none; stroke-width: 2 }
    .worse { stroke: #d1242f; fill: none; stroke-width: 2 }
    @media (prefers-color-scheme: dark) {
        text { fill: #f0f6fc } .small { fill: #9198a1 } .axis { stroke: #3d444d }
        circle { fill: #9198a1 } .bound { stroke: #9198a1 }
        .kept { stroke: #4493f8 } .worse { stroke: #f85149 }
    }
"""


def drawn(rows: list[dict[str, Any]]) -> str:
    """The whole picture."""
    height = math.ceil(len(rows) / COLUMNS) * HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * WIDTH} {height}" '
        'role="img">',
        "<title>How many times more an item costs at each scale than at the smallest</title>",
        f"<style>{STYLE}</style>",
    ]
    for at, row in enumerate(rows):
        x, y = at % COLUMNS * WIDTH, at // COLUMNS * HEIGHT
        parts += [f'<g transform="translate({x} {y})">', *_panel(row), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _panel(row: dict[str, Any]) -> list[str]:
    costs = {int(scale): cost for scale, cost in row["cost"].items()}
    first, last = min(costs), max(costs)
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    allowed = {scale: bound(first, scale) for scale in costs}
    parts = [
        f'<text class="name" x="{LEFT}" y="14">{escape(row["name"])}</text>',
        f'<text class="small" x="{LEFT}" y="27">{escape(row["family"])}</text>',
        f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>',
        *(
            f'<text class="small" x="{LEFT - 4}" y="{_y(cost) + 3:.1f}" text-anchor="end">'
            f"{cost:g}x</text>"
            for cost in (LEAST, 1, MOST)
        ),
        _path("bound", allowed),
        _path(row["verdict"], costs),
        *(
            f'<circle cx="{_x(scale, costs):.1f}" cy="{_y(costs[scale]):.1f}" r="2.5"/>'
            for scale in costs
        ),
    ]
    for scale, anchor in {last: "end", first: "start"}.items():
        place = f'x="{_x(scale, costs):.1f}" y="{bottom + 13}" text-anchor="{anchor}"'
        parts.append(f'<text class="small" {place}>{scale:,}</text>')
    return parts


def _path(kind: str, costs: dict[int, float]) -> str:
    points = " ".join(f"{_x(scale, costs):.1f},{_y(cost):.1f}" for scale, cost in costs.items())
    return f'<polyline class="{kind}" points="{points}"/>'


def _x(scale: int, scales: dict[int, float]) -> float:
    first, last = math.log(min(scales)), math.log(max(scales))
    part = (math.log(scale) - first) / (last - first) if last > first else 0.0
    return LEFT + part * (WIDTH - LEFT - RIGHT)


def _y(cost: float) -> float:
    shown = min(max(cost, LEAST), MOST)
    part = (math.log(shown) - math.log(LEAST)) / (math.log(MOST) - math.log(LEAST))
    return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)
