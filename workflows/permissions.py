"""Names of the permissions on workflows, executors and versions, as `user.has_perm` takes them."""

from __future__ import annotations

VIEW_WORKFLOW = "dboshub_workflows.view_workflow"
VIEW_PAYLOAD = "dboshub_workflows.view_payload"
VIEW_AUDIT_EVENT = "dboshub_workflows.view_auditevent"
START_WORKFLOW = "dboshub_workflows.start_workflow"
CANCEL_WORKFLOW = "dboshub_workflows.cancel_workflow"
RESUME_WORKFLOW = "dboshub_workflows.resume_workflow"
EDIT_RUN = "dboshub_workflows.edit_run"
FORK_WORKFLOW = "dboshub_workflows.fork_workflow"
DELETE_WORKFLOW = "dboshub_workflows.delete_workflow"
SEND_MESSAGE = "dboshub_workflows.send_message"
ADOPT_EXECUTOR = "dboshub_workflows.adopt_executor"
DECIDE_INCIDENT = "dboshub_workflows.decide_incident"
PROMOTE_VERSION = "dboshub_workflows.promote_version"

# What remedies need, beside the verbs on one workflow: as they name it, and the permission.
REMEDIES = {"promote": PROMOTE_VERSION, "queues": "dboshub_queues.change_queue"}
