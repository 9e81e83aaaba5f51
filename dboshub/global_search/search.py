"""One search: what its text asks for, and the groups of results that need no walk over payloads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from dboshub.global_search.destinations import destinations
from dboshub.global_search.offers import on_workflow
from dboshub.global_search.results import Group, Result, grouped
from dboshub.global_search.things import saved_views, things
from dboshub.global_search.workflow_matches import IdMatches, by_id
from dboshub.workflows.permissions import VIEW_PAYLOAD
from dboshub.workflows.rendering.listing.completions import complete
from dboshub.workflows.search.attributes import PREFIX
from dboshub.workflows.search.corrections import corrections
from dboshub.workflows.search.criteria import Criteria, parse
from dboshub.workflows.search.parser import quoted
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.views.search import known_values

# A shorter text is in too many values.
MIN_VALUE_LENGTH = 3


@dataclass(frozen=True, slots=True)
class Found:
    """Groups of results. `ids` says how far ids were searched, if they were."""

    groups: list[Group]
    ids: IdMatches | None = None


@dataclass(frozen=True)
class Search:
    """What somebody typed into the box; `now` is epoch ms."""

    user: Any
    text: str
    now: int

    @property
    def query(self) -> QueryDict:
        return QueryDict(urlencode({"q": self.text}))

    @cached_property
    def sees_payloads(self) -> bool:
        return bool(self.user.has_perm(VIEW_PAYLOAD))

    @cached_property
    def criteria(self) -> Criteria:
        return parse(self.query, now=self.now, attributes=self.sees_payloads)

    @property
    def words(self) -> str:
        """The text to be found anywhere, without quotes; empty if it is a filter."""
        criteria = self.criteria
        return "" if criteria.given or criteria.problems else criteria.words or self.text

    @property
    def finds_values(self) -> bool:
        return len(self.words) >= MIN_VALUE_LENGTH

    def found(self, session: Session) -> Found:
        """What was found, without a look at values."""
        words = self.words
        if self.text and not words:
            return Found(self._filters(session))
        go_to = destinations(self.user, words)
        if not words:
            return Found([*saved_views(self.user, ""), Group("Go to", tuple(go_to))])
        ids = by_id(session, viewer_for(self.user), words)
        groups = [
            *ids.groups,
            *grouped("What to do with it", on_workflow(self.user, ids.exact) if ids.exact else ()),
            *grouped("Go to", go_to),
            *saved_views(self.user, words),
            *things(session, self.user, words),
        ]
        return Found(groups, ids)

    def _filters(self, session: Session) -> list[Group]:
        """The list with this filter, what it may go on with, or what it may have meant."""
        groups: list[Group] = []
        listed = f"{reverse('dboshub:workflows:list')}?{urlencode({'q': self.text})}"
        if not self.criteria.problems:
            title = f"Workflows with {self.criteria.box}"
            groups = grouped("Filter", [Result(title, listed, "filters the list", icon="funnel")])
        known = known_values(session, viewer_for(self.user))
        options = complete(self.text, known) if ":" in self.text.rpartition(" ")[2] else []
        more = [_typed(each["text"], each["hint"], each["word"]) for each in options]
        return [*groups, *grouped("Go on with", more), *grouped("Did you mean", self._meant())]

    def _meant(self) -> list[Result]:
        if not self.criteria.problems:
            return []
        texts = corrections(self.query, attributes=self.sees_payloads)[:1]
        meant = [
            _typed(each, "filters by an attribute" if PREFIX in each else "filters the list")
            for each in texts
        ]
        return [*meant, _typed(quoted(self.text, always=True), "searches for the text itself")]


def _typed(text: str, reason: str, title: str = "") -> Result:
    address = f"{reverse('dboshub:find')}?{urlencode({'q': text})}"
    return Result(title or text, address, reason, icon="search", text=text)
