"""Application versions, and which of them is the latest.

The latest version is the first by `fragments.LATEST_FIRST` among an application's own versions
and those without an owner. A version that becomes the latest is stamped later than all of them,
whatever the clocks of their writers said. To register an old version again changes nothing.
"""

from __future__ import annotations

import uuid

from dboshub.workflows.engine.records import VersionInfo
from dboshub.workflows.storage.fragments import IN_SCOPE, LATEST_FIRST
from dboshub.workflows.storage.ownership import owned_by_another
from dboshub.workflows.storage.sql import Session, Statement

_LATEST_STAMP = f"""GREATEST(
            CAST(:now AS bigint),
            COALESCE((
                SELECT MAX(LEAST(version_timestamp, 9223372036854775806)) + 1
                FROM {{application_versions}}
                WHERE {IN_SCOPE}
            ), 0)
        )"""

INSERT = Statement(
    f"""
    INSERT INTO {{application_versions}} (
        version_id, version_name, version_timestamp, created_at, application_name
    )
    VALUES (:version_id, :name, {_LATEST_STAMP}, :now, :application)
    ON CONFLICT DO NOTHING
    """
)

CLAIM = Statement(
    """
    UPDATE {application_versions}
    SET application_name = :application
    WHERE version_name = :name AND application_name IS NULL
    """
)

OWNER = Statement("SELECT application_name FROM {application_versions} WHERE version_name = :name")

VERSIONS = Statement(
    f"""
    SELECT version_id, version_name, version_timestamp, created_at, application_name
    FROM {{application_versions}}
    WHERE {IN_SCOPE}
    ORDER BY {LATEST_FIRST}
    LIMIT :most
    """
)

SET_LATEST = Statement(
    f"""
    UPDATE {{application_versions}}
    SET version_timestamp = {_LATEST_STAMP},
        application_name = COALESCE(application_name, :application)
    WHERE version_name = :name AND {IN_SCOPE}
    """
)


def register(session: Session, name: str, *, application: str | None, now: int) -> None:
    """Insert the version, or make the application its owner if it has none.

    The timestamp of an existing version stays. Raises DBOSException if another application owns it.
    """
    version_id = str(uuid.uuid4())
    if session.run(INSERT, version_id=version_id, name=name, application=application, now=now):
        return
    if application and session.run(CLAIM, name=name, application=application):
        return
    _check_owner(session, name, application)


def latest(session: Session, *, application: str | None) -> VersionInfo | None:
    """The version that executes workflows enqueued without one; None before the first launch."""
    found = versions(session, application, most=1)
    return found[0] if found else None


def versions(session: Session, application: str | None, *, most: int = 10_000) -> list[VersionInfo]:
    """An application's versions and those without an owner, latest first; None: all versions."""
    return [
        VersionInfo(
            version_id=version_id,
            version_name=name,
            version_timestamp=stamped,
            created_at=created,
            application_name=owner,
        )
        for version_id, name, stamped, created, owner in session.all(
            VERSIONS, application=application, most=most
        )
    ]


def set_latest_version(session: Session, name: str, *, application: str | None, now: int) -> bool:
    """Make a version the latest one, stamped `now` or later; return False if it is unknown.

    The application becomes the owner of a version without one. Raises DBOSException if another
    application owns it; without `application` the owner is not checked.
    """
    if session.run(SET_LATEST, name=name, application=application, now=now):
        return True
    _check_owner(session, name, application)
    return False


def _check_owner(session: Session, name: str, application: str | None) -> None:
    found = session.one(OWNER, name=name)
    owner = None if found is None else found[0]
    if application is not None and owner not in (None, application):
        raise owned_by_another("Application version", name, str(owner), application)
