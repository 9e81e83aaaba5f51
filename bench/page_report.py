"""What each page took: lines for the terminal, and the table of the documents."""

from __future__ import annotations

from typing import Any

from bench.engine.report import facts

COLUMNS = ("best", "median", "p95", "statements", "dearest", "KiB")
SHOWN = ("best", "median", "p95", "statements")


def is_kept(visit: dict[str, Any]) -> bool:
    """Whether the page answered, in the median within its time."""
    return bool(visit["status"] == 200 and visit["median"] <= visit["limit_ms"])


def head() -> str:
    return f"\n{'page, ms':<32}" + "".join(f"{name:>12}" for name in COLUMNS)


def line(visit: dict[str, Any]) -> str:
    cells = "".join(f"{_figure(visit, name):>12}" for name in COLUMNS)
    verdict = "" if is_kept(visit) else "  LATE"
    if visit["status"] != 200:
        verdict = f"  answered {visit['status']}"
    return f"{visit['page']:<32}{cells}{verdict}"


def document(found: dict[str, Any]) -> str:
    """The table of all databases side by side, for `docs/performance.md`."""
    databases = found["databases"]
    heads = [f"{name}: {SHOWN[0]} | {' | '.join(SHOWN[1:])}" for name in databases]
    rules = "|".join(["---", *["--:"] * len(SHOWN) * len(databases)])
    lines = [f"| page, ms | {' | '.join(heads)} |", f"|{rules}|"]
    for visits in zip(*databases.values(), strict=True):
        cells = [_cell(visit, name) for visit in visits for name in SHOWN]
        lines.append(f"| {visits[0]['page'].replace('|', ' ')} | {' | '.join(cells)} |")
    what = f"{found['rows']:,} workflows of {found['steps_each']} steps each"
    told = f"{what}; a median above its limit is bold; {facts(found['facts'])}."
    return "\n".join([*lines, "", told, ""])


def _cell(visit: dict[str, Any], name: str) -> str:
    figure = _figure(visit, name)
    return f"**{figure}**" if name == "median" and not is_kept(visit) else figure


def _figure(visit: dict[str, Any], name: str) -> str:
    """A browser does not see the statements."""
    return f"{visit[name]:.0f}" if name in visit else "-"
