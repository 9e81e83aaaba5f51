"""The form in which a person edits a queue's limits."""

from __future__ import annotations

from typing import Any

from django import forms

from dboshub.queues.actions import problem
from dboshub.queues.engine.settings import QueueSettings, RateLimit
from dboshub.queues.models import Queue

LIMITS = (
    *("concurrency", "worker_concurrency", "rate_limit_max", "rate_limit_period_sec"),
    *("partition_concurrency", "partition_worker_concurrency"),
    *("partition_rate_limit_max", "partition_rate_limit_period_sec"),
)
PAIRS = (
    ("rate_limit_max", "rate_limit_period_sec"),
    ("partition_rate_limit_max", "partition_rate_limit_period_sec"),
)


class QueueForm(forms.ModelForm):  # type: ignore[type-arg]
    """Limits, checked as register_queue checks them; empty means unlimited."""

    reason = forms.CharField(required=False, max_length=1_000, help_text="For the audit log.")
    # When the row was last changed, as the person saw it: a later change is not overwritten.
    as_of = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Queue
        fields = ("name", "application_name", *LIMITS, "polling_interval_sec")
        widgets = {"name": forms.TextInput, "application_name": forms.TextInput}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and not self.instance._state.adding:
            self.fields["as_of"].initial = self.instance.updated_at

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for most, period in PAIRS:
            if (cleaned.get(most) is None) != (cleaned.get(period) is None):
                missing = most if cleaned.get(most) is None else period
                if missing not in self.errors:
                    self.add_error(missing, "A rate limit needs both a number and a period.")
        if not self.errors:
            found = problem(self.settings())
            if found:
                self.add_error(None, found)
        return cleaned

    def settings(self) -> QueueSettings:
        """What the form asks for. The name of an existing queue is not up for change."""
        given = self.cleaned_data
        return QueueSettings(
            name=given.get("name") or self.instance.name,
            application_name=given.get("application_name") or None,
            concurrency=given["concurrency"],
            worker_concurrency=given["worker_concurrency"],
            limiter=_limiter(given["rate_limit_max"], given["rate_limit_period_sec"]),
            partition_concurrency=given["partition_concurrency"],
            partition_worker_concurrency=given["partition_worker_concurrency"],
            partition_limiter=_limiter(
                given["partition_rate_limit_max"], given["partition_rate_limit_period_sec"]
            ),
            polling_interval_sec=given["polling_interval_sec"],
        )


def _limiter(most: int | None, period: float | None) -> RateLimit | None:
    return None if most is None or period is None else RateLimit(most, period)
