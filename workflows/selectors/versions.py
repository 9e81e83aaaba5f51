"""The application versions that a viewer sees."""

from __future__ import annotations

from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.storage.control import versions
from dboshub.workflows.storage.sql import Session

MAX_VERSIONS = 500


def version_names(session: Session, viewer: Viewer) -> tuple[str, ...]:
    """The names of at most MAX_VERSIONS versions, latest first."""
    known = versions.versions(session, None, most=MAX_VERSIONS)
    visible = (each for each in known if viewer.may_see(each["application_name"]))
    return tuple(dict.fromkeys(each["version_name"] for each in visible))
