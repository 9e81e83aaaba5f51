"""Whose session a cookie names, as this process has learnt from its answers.

Anybody can write a cookie. What limits the requests of one user must not be had by forging one,
nor ask the database: a session counts as its user's once this process has served a page to it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from django.conf import settings
from django.http import HttpRequest
from django.http.cookie import parse_cookie

# Those that were used longest ago are forgotten first, and learnt again at their next request.
MAX_KNOWN = 10_000


class KnownSessions:
    """Users by the keys of their sessions. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: OrderedDict[str, str] = OrderedDict()

    def learn(self, session: str, user: str) -> None:
        with self._lock:
            self._users[session] = user
            self._users.move_to_end(session)
            while len(self._users) > MAX_KNOWN:
                self._users.popitem(last=False)

    def forget(self, session: str) -> None:
        with self._lock:
            self._users.pop(session, None)

    def user_of(self, cookies: str) -> str | None:
        """The user whose session a Cookie header names, if it is known."""
        session = parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME, "")
        return self._users.get(session)


known_sessions = KnownSessions()


def learn_from(request: HttpRequest) -> None:
    """Note whose session a request was, if its answer asked for that."""
    if not request.session.accessed:
        return
    if request.user.is_authenticated and request.session.session_key:
        known_sessions.learn(request.session.session_key, str(request.user.pk))
    elif given := request.COOKIES.get(settings.SESSION_COOKIE_NAME):
        known_sessions.forget(given)
