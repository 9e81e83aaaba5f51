"""What every page's frame needs to know."""

from __future__ import annotations

from django.http import HttpRequest

THEME_COOKIE = "dboshub_theme"
THEMES = ("system", "light", "dark")


def frame(request: HttpRequest) -> dict[str, object]:
    """The chosen colours; a cookie is a stranger's text, so only known words pass."""
    chosen = request.COOKIES.get(THEME_COOKIE)
    return {"theme": chosen if chosen in THEMES else "system", "themes": THEMES}
