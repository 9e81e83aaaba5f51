"""Whether the connections of Django notice that a server's answer is lost."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from dboshub.doctor.findings import Finding, note, ok
from dboshub.workflows.storage.answers import KEEPALIVES, AnsweredConnection

NAME = "lost answers"
OWN_ENGINE = "dboshub.workflows.django_postgresql"


def lost_answers() -> Iterator[Finding]:
    """One finding for each alias of PostgreSQL that may wait for ever."""
    found = [each for each in connections.all() if each.vendor == "postgresql"]
    deaf = [each for each in found if not _notices(each)]
    for each in deaf:
        unset = [name for name in KEEPALIVES if name not in each.settings_dict["OPTIONS"]]
        also = f"; OPTIONS lacks {', '.join(unset)}" if unset else ""
        yield note(
            NAME,
            f"DATABASES[{each.alias!r}] waits for ever for an answer that a firewall, proxy or "
            f"balancer acknowledged and forgot{also}",
            f'Set its ENGINE to "{OWN_ENGINE}". Of another engine see docs/embedding.md.',
        )
    if found and not deaf:
        yield ok(NAME, "noticed by every connection of Django to PostgreSQL")


def _notices(connection: BaseDatabaseWrapper) -> bool:
    """Whether the backend, or its pool, makes connections of ours, with keepalives."""
    if connection.settings_dict["ENGINE"] == OWN_ENGINE:
        return True
    options = connection.settings_dict["OPTIONS"]
    pool = options.get("pool")
    made = pool.get("connection_class") if isinstance(pool, dict) else None
    is_ours = isinstance(made, type) and issubclass(made, AnsweredConnection)
    return is_ours and all(name in options for name in KEEPALIVES)
