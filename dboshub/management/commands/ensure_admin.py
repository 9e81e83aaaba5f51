"""Create an administrator if there is none."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, transaction

from dboshub import env
from dboshub.management.invocation import command
from dboshub.management.readiness import require_databases


class Command(BaseCommand):
    help = (
        "Create an administrator if there is none. The name and the password come from "
        "DBOSHUB_ADMIN_NAME and DBOSHUB_ADMIN_PASSWORD; without a password, a random one is "
        "printed once."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        require_databases()
        there = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
        if there is not None:
            self.stdout.write(
                f"There is an administrator, {there.get_username()!r}. A lost password: "
                f"`{command('changepassword', there.get_username())}`; another administrator: "
                f"`{command('createsuperuser')}`."
            )
            return
        name = env.text("DBOSHUB_ADMIN_NAME", "admin")
        given = env.text("DBOSHUB_ADMIN_PASSWORD")
        password = given or secrets.token_urlsafe(12)
        self._make(name, password)
        if given:
            self.stdout.write(f"Made the administrator {name!r} with the password given.")
        else:
            self.stdout.write(f"\n  Log in as {name} with the password {password}")
            self.stdout.write("  It is shown this once; change it at /password/ .\n")

    def _make(self, name: str, password: str) -> None:
        try:
            validate_password(password, User(username=name))
            with transaction.atomic():
                User.objects.create_superuser(name, password=password)
        except ValidationError as error:
            sentences = " ".join(error.messages)
            raise CommandError(f"DBOSHUB_ADMIN_PASSWORD will not do: {sentences}") from error
        except IntegrityError as error:
            raise CommandError(
                f"There is a user {name!r} who is no active administrator: set another "
                "DBOSHUB_ADMIN_NAME, or make that user one in the admin."
            ) from error
