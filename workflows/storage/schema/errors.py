"""Errors of a system database that cannot be opened; each message says what to do.

SchemaError (a DBOSInitializationError)
├── SchemaMissingError      there are no system tables
├── SchemaTooOldError       an older DBOS library created them
├── SchemaColumnsError      they lack columns that this engine uses
├── HubTablesMissingError   the engine's own tables beside them are not there
└── SchemaPermissionError   this role may not create or use them
"""

from __future__ import annotations

from dboshub.workflows.engine.errors import DBOSInitializationError


class SchemaError(DBOSInitializationError):
    """The system tables are not in a state the engine can work with."""


class SchemaMissingError(SchemaError):
    """The database has no system tables."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"There are no system tables in {place}: run `dboshub migrate` (`manage.py migrate` in "
            "a Django project), or launch with run_migrations on (the default)"
        )
        self.args = (place,)
        self.place = place


class SchemaTooOldError(SchemaError):
    """The tables have a schema version that this engine cannot migrate."""

    def __init__(self, version: int | None, oldest: int) -> None:
        found = "a version before migrations were numbered" if version is None else f"{version}"
        super().__init__(
            f"The system tables have schema version {found}, and the oldest one that can be opened "
            f"is {oldest}. Nothing was changed. Upgrade them with the library that made them "
            "(`dbos migrate` of dbos 3.4.0 or newer), after stopping executors of the old release, "
            "or name an empty database"
        )
        self.args = (version, oldest)
        self.version = version
        self.oldest = oldest


class SchemaColumnsError(SchemaError):
    """The schema version is supported, but columns that this engine uses are missing."""

    def __init__(self, version: int, newest: int, missing: tuple[str, ...]) -> None:
        cause = (
            f"which is newer than {newest}, the newest this release knows: upgrade DBOSHub"
            if version > newest
            else "so they were changed by hand or a migration was cut short: restore them"
        )
        super().__init__(
            f"The system tables have schema version {version} but lack "
            f"{', '.join(missing)}, {cause}"
        )
        self.args = (version, newest, missing)
        self.version = version
        self.missing = missing


class HubTablesMissingError(SchemaError):
    """The system tables are there, the tables that executors need beside them are not."""

    def __init__(self, place: str, missing: tuple[str, ...]) -> None:
        super().__init__(
            f"There are no tables {', '.join(missing)} beside the system tables in {place}: run "
            "`migrate`, call DBOS.migrate(url), or launch with run_migrations on (the default)"
        )
        self.args = (place, missing)
        self.place = place
        self.missing = missing


class SchemaPermissionError(SchemaError):
    """The database refuses this role; `reason` is its own words."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The database refuses to create or to use the system tables: {reason}. Let their "
            "owner call DBOS.migrate(url, application_role=…) with the role of this URL, then "
            "launch with run_migrations off"
        )
        self.args = (reason,)
        self.reason = reason
