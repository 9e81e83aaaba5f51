"""Template tags of the search box: go-to keys, and texts with what was sought marked."""

from __future__ import annotations

from typing import Any

from django import template

from dboshub.global_search.destinations import permitted
from dboshub.global_search.results import Result, marked

register = template.Library()

register.filter("marked", marked)


@register.simple_tag
def go_to_keys(user: Any) -> list[Result]:
    """The pages with a go-to key that a user may open."""
    return [result for _, result in permitted(user) if result.key]
