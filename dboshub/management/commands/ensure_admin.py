"""Create an administrator if there is none."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import PermissionsMixin
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, router, transaction
from django.urls import NoReverseMatch, reverse

from dboshub import env
from dboshub.checks import OUR_CHECKS
from dboshub.management.readiness import require_databases
from dboshub.workflows.invocation import command


class Command(BaseCommand):
    help = (
        "Create an administrator if there is none. The name and the password come from "
        "DBOSHUB_ADMIN_NAME and DBOSHUB_ADMIN_PASSWORD; without a password, a random one is "
        "printed once."
    )
    requires_system_checks = OUR_CHECKS

    def handle(self, *args: Any, **options: Any) -> None:
        require_databases()
        model = _user_model()
        found = model._default_manager.filter(is_superuser=True).order_by("pk")
        there = next((user for user in found.iterator() if user.is_active), None)
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
        _create(model, name, password)
        if given:
            self.stdout.write(f"Made the administrator {name!r} with the password given.")
        else:
            self.stdout.write(f"\n  Log in as {name} with the password {password}")
            self.stdout.write(f"  It is shown this once{_where_to_change_it()}.\n")


def _user_model() -> Any:
    """The project's user model. Raises CommandError if an administrator needs more than a name."""
    model: Any = get_user_model()
    if not issubclass(model, PermissionsMixin):
        raise CommandError(
            f"{model._meta.label}, the user model of this project, has no is_superuser: make an "
            "administrator in the way of the project."
        )
    wanted = [
        name
        for name in model.REQUIRED_FIELDS
        if not (field := model._meta.get_field(name)).blank and not field.has_default()
    ]
    if wanted:
        raise CommandError(
            f"A user of this project ({model._meta.label}) needs {', '.join(wanted)}, too: run "
            f"`{command('createsuperuser')}`."
        )
    return model


def _create(model: Any, name: str, password: str) -> None:
    fields = {each: model._meta.get_field(each).get_default() for each in model.REQUIRED_FIELDS}
    fields[model.USERNAME_FIELD] = name
    try:
        model._meta.get_field(model.USERNAME_FIELD).run_validators(name)
    except ValidationError as error:
        raise _refusal("NAME", error) from error
    try:
        validate_password(password, model(**fields))
    except ValidationError as error:
        raise _refusal("PASSWORD", error) from error
    try:
        with transaction.atomic(using=router.db_for_write(model)):
            model._default_manager.create_superuser(**fields, password=password)
    except IntegrityError as error:
        raise CommandError(
            f"There is a user {name!r} who is no active administrator: set another "
            "DBOSHUB_ADMIN_NAME, or make that user one in the admin."
        ) from error


def _refusal(what: str, error: ValidationError) -> CommandError:
    return CommandError(f"DBOSHUB_ADMIN_{what} will not do: {' '.join(error.messages)}")


def _where_to_change_it() -> str:
    try:
        return f"; change it at {reverse('password_change')} "
    except NoReverseMatch:
        return ""
