"""Logging in, with a limit on guessing per name and per address; counted in the database, so that
several web processes share the count."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.crypto import salted_hmac

from dboshub.models import LoginAttempt
from dboshub.workflows.django_settings import (
    login_attempts,
    login_attempts_per_address,
    login_window_s,
)


class ThrottledLoginForm(AuthenticationForm):
    """The usual form, which stops asking the password hasher after too many tries."""

    def clean(self) -> dict[str, Any]:
        limits = self._limits()
        # Recorded before the password is looked at, so that parallel guesses count too.
        record(list(limits))
        if any(recent(key) > limit for key, limit in limits.items()):
            raise ValidationError(
                "Too many attempts. Wait %(minutes)d minutes and try again.",
                code="throttled",
                params={"minutes": login_window_s() // 60},
            )
        cleaned = super().clean()
        forget(list(limits))
        return cleaned

    def is_throttled(self) -> bool:
        return self.has_error("__all__", code="throttled")

    def _limits(self) -> dict[str, int]:
        """Name and address together, so that nobody can lock another person out; the address for
        those who try many names."""
        address = self.request.META.get("REMOTE_ADDR", "") if self.request else ""
        name = str(self.cleaned_data.get("username", "")).casefold()
        return {
            digest(f"name {name} from {address}"): login_attempts(),
            digest(f"address {address}"): login_attempts_per_address(),
        }


def digest(value: str) -> str:
    return salted_hmac("dboshub.web.login_throttle", value, algorithm="sha256").hexdigest()


def record(keys: list[str]) -> None:
    now = timezone.now()
    LoginAttempt.objects.filter(at__lt=now - 4 * _window()).delete()
    LoginAttempt.objects.bulk_create(LoginAttempt(key=key, at=now) for key in keys)


def recent(key: str) -> int:
    return LoginAttempt.objects.filter(key=key, at__gt=timezone.now() - _window()).count()


def forget(keys: list[str]) -> None:
    LoginAttempt.objects.filter(key__in=keys).delete()


def _window() -> timedelta:
    return timedelta(seconds=login_window_s())
