"""A run with its children as a file, for an import elsewhere or for a replay."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dboshub.workflows.actions.audit import actor_of, record
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.selectors.bundle import BundleRefusedError, NoBundleError, bundle
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.views.attachments import attachment
from dboshub.workflows.views.confirm import INVALID
from dboshub.workflows.views.workflow_required import may_see_payloads, with_audited_workflow


@require_safe
@with_audited_workflow
def bundle_download(request: HttpRequest, session: Session, found: WorkflowRow) -> HttpResponse:
    """The bundle as a download, with an audit row; a page with the reason if it is not made."""
    if not may_see_payloads(request):
        raise PermissionDenied("A bundle holds payloads: it needs the permission “view payload”.")
    try:
        text = bundle(
            session,
            found.pk,
            viewer=viewer_for(request.user),
            sees_redacted=request.user.is_superuser,
        )
    except BundleRefusedError as refusal:
        raise PermissionDenied(str(refusal)) from None
    except NoBundleError as refusal:
        shown = {"row": found, "reason": str(refusal)}
        return render(request, "dboshub/workflows/no_bundle.html", shown, status=INVALID)
    record(actor_of(request), "export", "workflow", found.pk, children=True)
    return attachment(text, f"bundle-{found.pk[:60]}.txt")
