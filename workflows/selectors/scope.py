"""The applications that a viewer may see. Rows outside this scope are treated as missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db.models import CharField, Value

from dboshub.workflows.search.predicates import Predicate
from dboshub.workflows.storage.sql import Row, Session, cached_statement


@dataclass(frozen=True, slots=True)
class Viewer:
    """`applications` None means all. `unclaimed` includes rows without an application."""

    applications: frozenset[str] | None = None
    unclaimed: bool = True

    @property
    def key(self) -> str:
        """A cache key that all viewers with this scope share."""
        scope = "all" if self.applications is None else repr(sorted(self.applications))
        return f"{scope} {self.unclaimed}".encode().hex()

    def may_see(self, application: str | None) -> bool:
        if self.applications is None:
            return True
        return self.unclaimed if application is None else application in self.applications

    def predicate(self) -> Predicate | None:
        """The scope as a predicate; None if it includes all applications."""
        if self.applications is None:
            return None
        params = {f"scope_{at}": name for at, name in enumerate(sorted(self.applications))}
        names = ", ".join(f":{name}" for name in params)
        parts = [f"application_name IN ({names})"] if params else []
        parts += ["application_name IS NULL"] if self.unclaimed else []
        sql = f"({' OR '.join(parts)})" if parts else "1 = 0"
        return Predicate("scope", sql, params, lambda row: self.may_see(row.application_name))

    def scope(self) -> tuple[str, dict[str, Any]]:
        """The scope as an SQL expression, `1 = 1` for all applications, and its parameters."""
        predicate = self.predicate()
        return ("1 = 1", {}) if predicate is None else (predicate.sql, {**predicate.params})


EVERYTHING = Viewer()


def all_in_scope(session: Session, sql: str, viewer: Viewer, **params: Any) -> list[Row]:
    """The rows of a query in which the word SCOPE stands for the viewer's applications."""
    predicate, values = viewer.scope()
    return session.all(cached_statement(sql.replace("SCOPE", predicate)), **params, **values)


def viewer_for(user: Any) -> Viewer:
    """The viewer of a user, read once per user object (that is, once per request).

    Superusers see all applications, and so do users without a limited group.
    """
    known: Viewer | None = getattr(user, "_dboshub_viewer", None)
    if known is None:
        known = user._dboshub_viewer = _viewer(user)
    return known


def _viewer(user: Any) -> Viewer:
    if user.is_superuser:
        return EVERYTHING
    # Looked up by name: selectors also serve programs that do not load Django's models.
    rules, limits = (
        apps.get_model("dboshub_workflows", name)._default_manager.filter(group__user=user)
        for name in ("ScopeRule", "GroupScope")
    )
    # One statement: the rules of all groups, and NULL for each limited group.
    found = rules.values_list("application").union(
        limits.values_list(Value(None, output_field=CharField())), all=True
    )
    named = frozenset(application for (application,) in found)
    if not named:
        return EVERYTHING
    return Viewer(applications=named - {"", None}, unclaimed="" in named)
