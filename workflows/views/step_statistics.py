"""The page of steps across workflows: how often each ran and failed, and how long it took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import permission_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.live.source import digest
from dboshub.workflows.live.step_statistics import sample_facts
from dboshub.workflows.live.subscriptions import subscription_for
from dboshub.workflows.permissions import VIEW_WORKFLOW
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.rendering.step_statistics import SORTS, ordered, statistics
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.selectors.step_sample import PARTS, SPANS, SampledStep, step_sample

MAX_SHOWN = 200
MAX_TEXT = 200
DEFAULT_SORT = "-failed"
WORDS = {"1h": "1 h", "24h": "24 h", "7d": "7 d"}
# The columns of the table: the key to sort by, the title, and whether the largest comes first.
COLUMNS = (
    ("step", "Step", False),
    ("workflow", "Workflow", False),
    ("version", "Version", False),
    ("count", "Steps", True),
    ("failed", "Failed", True),
    ("p50", "p50", True),
    ("p95", "p95", True),
    ("p99", "p99", True),
    ("trend", "Trend of p50", True),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the query string asks for; what it does not say, or says wrong, is the default."""

    span: str = "1h"
    sort: str = DEFAULT_SORT
    by: str = ""
    find: str = ""
    internal: str = ""

    @classmethod
    def read(cls, request: HttpRequest) -> Asked:
        given = {key: request.GET.get(key, "") for key in ("span", "sort", "by", "internal")}
        return cls(
            span=given["span"] if given["span"] in SPANS else "1h",
            sort=given["sort"] if given["sort"].removeprefix("-") in SORTS else DEFAULT_SORT,
            by="version" if given["by"] == "version" else "",
            find=request.GET.get("find", "").strip()[:MAX_TEXT],
            internal="yes" if given["internal"] == "yes" else "",
        )

    def query(self, **changes: str) -> str:
        """The query string with changes, without what is the default."""
        default = Asked()
        given = {
            key: getattr(self, key) for key in ("span", "sort", "by", "find", "internal")
        } | changes
        return urlencode({key: v for key, v in given.items() if v != getattr(default, key)})

    def shows(self, step: SampledStep) -> bool:
        if step.name.startswith("DBOS.") and not self.internal:
            return False
        text = self.find.lower()
        return text in step.name.lower() or text in (step.workflow or "").lower()


@require_safe
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def step_statistics(request: HttpRequest) -> HttpResponse:
    """Steps by name and workflow, sorted by any column."""
    asked = Asked.read(request)
    context: dict[str, Any] = {"section": "steps", "asked": asked}
    context["spans"] = [(asked.query(span=span), WORDS[span], span == asked.span) for span in SPANS]
    context["sorts"] = _sorts(asked)
    try:
        with bounded_reading() as session:
            sample = step_sample(session, viewer_for(request.user), SPANS[asked.span])
    except DatabaseError as error:
        context["failure"] = str(error).split("\n", 1)[0]
        return render(request, "dboshub/steps/list.html", context, status=503)
    shown = [step for step in sample.steps if asked.shows(step)]
    found = ordered(statistics(shown, by_version=bool(asked.by)), asked.sort)
    context |= {
        "sample": sample,
        "parts": PARTS,
        "rows": found[:MAX_SHOWN],
        "more": len(found) - MAX_SHOWN,
        "steps": len(shown),
        "word": WORDS[asked.span],
        "columns": [_column(asked, *column) for column in COLUMNS],
        "by_version": asked.query(by="" if asked.by else "version"),
        "with_internal": asked.query(internal="" if asked.internal else "yes"),
        "live_page": subscription_for(request, "step_statistics", asked.span),
        "live_digest": digest(sample_facts(sample)),
    }
    return render(request, "dboshub/steps/list.html", context)


def _sorts(asked: Asked) -> list[tuple[str, str, bool]]:
    """The orders to choose from where a phone has no headings: value, title, whether it is on."""
    orders = [(f"-{key}" if is_number else key, title) for key, title, is_number in COLUMNS]
    titles = dict(orders)
    titles.setdefault(asked.sort, f"{_title(asked.sort)}, the other way")
    return [(sort, f"Sort by {title}", sort == asked.sort) for sort, title in titles.items()]


def _title(sort: str) -> str:
    return next(title for key, title, _ in COLUMNS if key == sort.removeprefix("-"))


def _column(asked: Asked, key: str, title: str, is_number: bool) -> dict[str, Any]:
    """A heading with the link that sorts by it: a number begins with the largest."""
    is_down, is_on = asked.sort == f"-{key}", asked.sort.removeprefix("-") == key
    first = f"-{key}" if is_number else key
    other = key if is_down else f"-{key}"
    return {
        "title": title,
        "is_number": is_number,
        "query": asked.query(sort=other if is_on else first),
        "order": ("descending" if is_down else "ascending") if is_on else "",
    }
