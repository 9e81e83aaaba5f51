"""Statements over many ids: lists of limited size, in the order in which rows are locked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from dboshub.workflows.storage.sql import Row, Session, Statement

MAX_IDS = 1_000  # in one statement


def id_chunks(ids: Iterable[str], size: int = MAX_IDS) -> Iterator[list[str]]:
    """The distinct ids in lists of at most `size`.

    They are sorted across all lists: every writer of several rows locks them in the order of their
    ids, so that two writers cannot deadlock.
    """
    # SQLite lets another program insert a row without an id. No statement can name it.
    ordered = sorted({each for each in ids if each is not None})
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def all_by_ids(
    session: Session, statement: Statement, ids: Iterable[str], **params: Any
) -> list[Row]:
    """The rows of a statement on ``:ids``, executed once for each list of ids."""
    return [
        row
        for chunk in id_chunks(ids)
        for row in session.all(statement, ids=session.ids(chunk), **params)
    ]


def in_given_order(ids: Iterable[str], chosen: Collection[str]) -> list[str]:
    """The distinct ids that are among `chosen`, in the order in which they were given."""
    return [each for each in dict.fromkeys(ids) if each in chosen]
