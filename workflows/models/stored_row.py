"""A row of a system table, which any program may have written."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Self

from django.db import connections, models

from dboshub.workflows.storage.stored_values import typed


class StoredRow(models.Model):
    """Reads a row of SQLite as storage reads it: with the types of its columns."""

    class Meta:
        abstract = True

    @classmethod
    def from_db(
        cls, db: str | None, field_names: Collection[str], values: Collection[Any], **options: Any
    ) -> Self:
        if db is not None and connections[db].vendor == "sqlite":
            values = typed([*field_names], [[*values]])[0]
        return super().from_db(db, field_names, values, **options)
