"""Application versions: which code is running, and which one is the latest.

The latest is the one with the greatest timestamp among an application's own versions and
those that no application has claimed. Registering an old version again changes nothing.
"""

from __future__ import annotations

import uuid

from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.records import VersionInfo
from dboshub.workflows.storage.sql import Session, Statement

INSERT = Statement(
    """
    INSERT INTO {application_versions} (
        version_id, version_name, version_timestamp, created_at, application_name
    )
    VALUES (:version_id, :name, :now, :now, :application)
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
    """
    SELECT version_id, version_name, version_timestamp, created_at, application_name
    FROM {application_versions}
    WHERE CAST(:application AS text) IS NULL
        OR application_name = :application
        OR application_name IS NULL
    ORDER BY version_timestamp DESC, created_at DESC, version_id
    LIMIT :most
    """
)

STAMP = Statement(
    """
    UPDATE {application_versions}
    SET version_timestamp = :now, application_name = COALESCE(application_name, :application)
    WHERE version_name = :name
        AND (
            CAST(:application AS text) IS NULL
            OR application_name = :application
            OR application_name IS NULL
        )
    """
)


def register(session: Session, name: str, *, application: str | None, now: int) -> None:
    """Insert the version, or claim it if nobody has; its timestamp stays what it was.

    Raises DBOSException if another application owns it.
    """
    version_id = str(uuid.uuid4())
    if session.run(INSERT, version_id=version_id, name=name, application=application, now=now):
        return
    if application and session.run(CLAIM, name=name, application=application):
        return
    _check_owner(session, name, application)


def latest(session: Session, *, application: str | None) -> VersionInfo | None:
    """The version that new work without one goes to; None before the first launch."""
    found = versions(session, application=application, most=1)
    return found[0] if found else None


def versions(session: Session, *, application: str | None, most: int = 10_000) -> list[VersionInfo]:
    """The application's own and unclaimed versions, latest first; without a name, all."""
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


def set_latest(session: Session, name: str, *, application: str | None, now: int) -> bool:
    """Promote or roll back to a version, claiming it if unclaimed; False if there is none.

    Raises DBOSException if another application owns it. Without an application any will do.
    """
    if session.run(STAMP, name=name, application=application, now=now):
        return True
    _check_owner(session, name, application)
    return False


def _check_owner(session: Session, name: str, application: str | None) -> None:
    found = session.one(OWNER, name=name)
    owner = None if found is None else found[0]
    if application is not None and owner not in (None, application):
        raise DBOSException(
            f"application version {name!r} belongs to application {owner!r}; "
            f"choose a distinct application_version for {application!r}"
        )
