"""What only the project as a whole keeps: attempts to log in. The system tables are not here."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class LoginAttempt(models.Model):
    """One try at a password, remembered until it succeeds or grows old."""

    # A digest, so that a password typed into the name field is not kept readable.
    key = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        app_label = "dboshub"
        db_table = "dboshub_login_attempt"
        indexes = [models.Index(fields=["key", "at"], name="login_attempt_recent")]

    def __str__(self) -> str:
        return f"{self.key[:8]} at {self.at:%H:%M:%S}"


class Hub(models.Model):
    """The hub itself, as something one may be permitted to look at; it has no table."""

    class Meta:
        app_label = "dboshub"
        managed = False
        default_permissions = ()
        permissions = [("view_hub", "Can see how the hub and its database fare")]

    def __str__(self) -> str:
        return "hub"


class SavedView(models.Model):
    """A filter of a list that somebody gave a name; a shared one is there for everybody."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    page = models.CharField(max_length=20, default="workflows")
    name = models.CharField(max_length=60)
    query = models.TextField(blank=True)
    is_shared = models.BooleanField(default=False)

    class Meta:
        app_label = "dboshub"
        db_table = "dboshub_saved_view"
        default_permissions = ()
        permissions = [("share_view", "Can share saved views, and delete shared ones")]
        constraints = [
            models.UniqueConstraint(fields=["owner", "page", "name"], name="saved_view_of_owner")
        ]

    def __str__(self) -> str:
        return self.name


class Preference(models.Model):
    """What somebody chose about how pages are written for them."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", primary_key=True
    )
    # An IANA name; without one it is the project's zone.
    time_zone = models.CharField(max_length=64, blank=True)

    class Meta:
        app_label = "dboshub"
        db_table = "dboshub_preference"
        default_permissions = ()

    def __str__(self) -> str:
        return self.time_zone or "the project's time zone"
