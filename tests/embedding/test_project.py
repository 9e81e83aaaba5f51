"""The steps of docs/embedding.md leave a project that Django is content with."""

from __future__ import annotations

from tests.embedding.project import HostProject

ENSURE_ADMIN = """
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command
from django.db import transaction
with transaction.atomic():
    get_user_model().objects.update(is_superuser=False)
    get_user_model().REQUIRED_FIELDS = {required!r}
    call_command("ensure_admin")
    found = authenticate(username="eva@bakery.example", password="a bug in relay 70")
    print("superuser:", found.is_superuser)
    transaction.set_rollback(True)
"""
EVA = {"DBOSHUB_ADMIN_NAME": "eva@bakery.example", "DBOSHUB_ADMIN_PASSWORD": "a bug in relay 70"}


def test_the_steps_need_no_migration_of_the_hosts_own(host: HostProject) -> None:
    assert "No changes" in host.manage("makemigrations", "--check", "--dry-run")


def test_an_administrator_is_a_user_of_the_hosts_own_model(host: HostProject) -> None:
    assert "There is an administrator, 'root@bakery.example'" in host.manage("ensure_admin")
    script = ENSURE_ADMIN.format(required=[])
    assert "superuser: True" in host.manage("shell", "-v", "0", "-c", script, **EVA)
    assert "DBOSHUB_ADMIN_NAME will not do" in host.fails("shell", "-v", "0", "-c", script)


def test_a_model_that_needs_more_than_a_name_is_left_to_the_host(host: HostProject) -> None:
    script = ENSURE_ADMIN.format(required=["email"])
    told = host.fails("shell", "-v", "0", "-c", script, **EVA)
    assert "(accounts.Member) needs email, too: run `manage.py createsuperuser`" in told
