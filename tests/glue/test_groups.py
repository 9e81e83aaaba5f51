"""The three groups that migrate makes: each may do what its name says, and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group

pytestmark = pytest.mark.django_db

WATCH = {"workflows.view_workflow", "queues.view_queue", "schedules.view_schedule"}
OPERATE = WATCH | {
    "workflows.view_payload",
    "workflows.cancel_workflow",
    "workflows.resume_workflow",
    "workflows.fork_workflow",
    "workflows.start_workflow",
    "workflows.send_message",
    "queues.change_queue",
    "dboshub.view_hub",
}
ADMINISTER = OPERATE | {
    "workflows.delete_workflow",
    "workflows.view_auditevent",
    "workflows.adopt_executor",
    "workflows.promote_version",
    "queues.add_queue",
    "queues.delete_queue",
    "schedules.change_schedule",
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
