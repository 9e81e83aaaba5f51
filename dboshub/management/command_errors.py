"""Around a whole command line: what a database refuses is one sentence for every command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def explained_outages(arguments: Sequence[str]) -> Iterator[None]:
    """Raise CommandError for a database that does not answer or is not migrated.

    With ``--traceback`` among the arguments the error itself propagates.
    """
    from django.db import Error

    try:
        yield
    except Error as error:
        if "--traceback" in arguments:
            raise
        # Imports models, for which Django is set up only once a command ran.
        from django.db import connections

        from dboshub.management.readiness import failure_of, require_answer

        require_answer([*connections])
        raise failure_of(error) from error
