"""The three groups that migrate makes: each may do what its name says, and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group

pytestmark = pytest.mark.django_db

WATCH = {
    "dboshub_workflows.view_workflow",
    "dboshub_queues.view_queue",
    "dboshub_schedules.view_schedule",
}
OPERATE = WATCH | {
    "dboshub_workflows.view_payload",
    "dboshub_workflows.cancel_workflow",
    "dboshub_workflows.resume_workflow",
    "dboshub_workflows.fork_workflow",
    "dboshub_workflows.start_workflow",
    "dboshub_workflows.send_message",
    "dboshub_workflows.decide_incident",
    "dboshub_queues.change_queue",
    "dboshub.view_hub",
}
ADMINISTER = OPERATE | {
    "dboshub_workflows.delete_workflow",
    "dboshub_workflows.edit_run",
    "dboshub_workflows.view_auditevent",
    "dboshub_workflows.adopt_executor",
    "dboshub_workflows.promote_version",
    "dboshub_queues.add_queue",
    "dboshub_queues.delete_queue",
    "dboshub_schedules.change_schedule",
    "dboshub.share_view",
}


@pytest.mark.parametrize(
    ("name", "permissions"),
    [
        ("DBOSHub viewer", WATCH),
        ("DBOSHub operator", OPERATE),
        ("DBOSHub admin", ADMINISTER),
    ],
)
def test_a_group_gives_its_members_exactly_these_permissions(
    make_user: Callable[..., Any], name: str, permissions: set[str]
) -> None:
    user = make_user("ada")
    user.groups.add(Group.objects.get(name=name))

    assert user.get_all_permissions() == permissions
