"""Actions on executors and application versions."""

from __future__ import annotations

from dboshub.workflows.actions.audit import ActionRefusedError, Actor, AuditedAction, audited_action
from dboshub.workflows.engine.records import INTERNAL_QUEUE, VersionInfo
from dboshub.workflows.engine.waiting.notices import QUEUE
from dboshub.workflows.permissions import ADOPT_EXECUTOR, PROMOTE_VERSION
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.selectors.tables import EXECUTORS, has_table
from dboshub.workflows.storage.control import versions
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.membership import recover


def adopt(actor: Actor, executor_id: str, *, application: str, reason: str = "") -> int:
    """Enqueue the running workflows of an executor again; return their number.

    The executor may belong to another program. Only workflows of `application` are taken, and
    those without an application if the actor may see them; with an empty `application`, only the
    latter. Workflows that a live
    process of DBOSHub owns are left alone.
    """
    with audited_action(
        actor,
        "adopt",
        "executor",
        executor_id,
        permission=ADOPT_EXECUTOR,
        reason=reason,
    ) as action:
        action.concerns(application or None)
        viewer = viewer_for(actor.user)
        if not viewer.may_see(application or None):
            raise ActionRefusedError(
                f"The application {application!r} is not one of yours.", "Ask an administrator."
            )
        moved = 0
        if "\x00" not in executor_id + application:
            moved = recover.adopt_executor(
                action.session,
                executor_id,
                application=application,
                with_unclaimed=viewer.may_see(None),
                now=database_now(action.session),
                has_hub_tables=has_table(action.session, EXECUTORS),
            )
        if not moved:
            raise ActionRefusedError(
                f"The executor {executor_id!r} runs nothing that may be adopted.",
                "Reload the page: it may have finished, or another took it over.",
            )
        action.hint((QUEUE, INTERNAL_QUEUE))
        action.detail.update(application=application or None, workflows=moved)
        return moved


def promote(actor: Actor, version: str, *, reason: str = "") -> None:
    """Make a version the latest of its application. It gets the work that names no version."""
    with audited_action(
        actor,
        "promote",
        "version",
        version,
        permission=PROMOTE_VERSION,
        reason=reason,
    ) as action:
        known = versions.versions(action.session, None)
        found = _find(action, known, version)
        rivals = [each for each in known if _are_rivals(each, found)]
        if rivals[0]["version_name"] == version:
            raise ActionRefusedError("It is the latest already.", "Promote another to leave it.")
        action.concerns(found["application_name"])
        now = database_now(action.session)
        versions.set_latest_version(action.session, version, application=None, now=now)
        action.detail.update(was=rivals[0]["version_name"], application=found["application_name"])


def _find(action: AuditedAction, known: list[VersionInfo], version: str) -> VersionInfo:
    viewer = viewer_for(action.actor.user)
    for each in known:
        if each["version_name"] == version and viewer.may_see(each["application_name"]):
            return each
    raise ActionRefusedError(
        f"There is no version {version!r}.", "Reload the page: it shows those that were launched."
    )


def _are_rivals(one: VersionInfo, other: VersionInfo) -> bool:
    """Whether both may be versions of one application."""
    owners = one["application_name"], other["application_name"]
    return None in owners or owners[0] == owners[1]
