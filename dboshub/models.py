"""What only the project as a whole keeps: attempts to log in. The system tables are not here."""

from __future__ import annotations

from django.db import models


class LoginAttempt(models.Model):
    """One try at a password, remembered until it succeeds or grows old."""

    # A digest, so that a password typed into the name field is not kept readable.
    key = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        db_table = "dboshub_login_attempt"
        indexes = [models.Index(fields=["key", "at"], name="login_attempt_recent")]

    def __str__(self) -> str:
        return f"{self.key[:8]} at {self.at:%H:%M:%S}"
