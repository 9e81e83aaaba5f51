"""Forms by which people edit the limits of a queue: in the admin, and on the queue's page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.urls import reverse

from dboshub.queues import actions
from dboshub.queues.engine.settings import QueueSettings, RateLimit
from dboshub.queues.models import Queue
from dboshub.workflows.actions.audit import Actor
from dboshub.workflows.forms.confirm_form import ActionResult

LIMITS = (
    "concurrency",
    "worker_concurrency",
    "rate_limit_max",
    "rate_limit_period_sec",
    "partition_concurrency",
    "partition_worker_concurrency",
    "partition_rate_limit_max",
    "partition_rate_limit_period_sec",
)
PAIRS = (
    ("rate_limit_max", "rate_limit_period_sec"),
    ("partition_rate_limit_max", "partition_rate_limit_period_sec"),
)


class QueueForm(forms.ModelForm):  # type: ignore[type-arg]
    """The settings of a queue, checked as `register_queue` checks them. Empty means unlimited."""

    reason = forms.CharField(required=False, max_length=1_000, help_text="For the audit log.")
    # `updated_at` of the row that the person saw: a later change is not overwritten.
    as_of = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Queue
        fields: tuple[str, ...] = ("name", "application_name", *LIMITS, "polling_interval_sec")
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
            found = actions.problem(self.settings())
            if found:
                self.add_error(None, found)
        return cleaned

    def settings(self) -> QueueSettings:
        """The settings in the form. The name of an existing queue cannot be changed."""
        given = self.cleaned_data
        return QueueSettings(
            name=given.get("name") or self.instance.name,
            application_name=given.get("application_name") or None,
            concurrency=given["concurrency"],
            worker_concurrency=given["worker_concurrency"],
            limiter=RateLimit.of_columns(given["rate_limit_max"], given["rate_limit_period_sec"]),
            partition_concurrency=given["partition_concurrency"],
            partition_worker_concurrency=given["partition_worker_concurrency"],
            partition_limiter=RateLimit.of_columns(
                given["partition_rate_limit_max"], given["partition_rate_limit_period_sec"]
            ),
            polling_interval_sec=given["polling_interval_sec"],
        )


class LimitsForm(QueueForm):
    """The limits of an existing queue, without its name and owner."""

    verb = "change"
    permission = "dboshub_queues.change_queue"
    title = "Change this queue's limits"
    consequence = "Running workers take the new limits at their next poll. Empty means unlimited."
    button = "Save the limits"
    is_danger = False

    class Meta(QueueForm.Meta):
        fields = (*LIMITS, "polling_interval_sec")
        labels = {
            "concurrency": "Running at once, in all",
            "worker_concurrency": "Running at once, per executor",
            "rate_limit_max": "Starts",
            "rate_limit_period_sec": "in how many seconds",
            "partition_concurrency": "Per partition: running at once",
            "partition_worker_concurrency": "Per partition and executor",
            "partition_rate_limit_max": "Per partition: starts",
            "partition_rate_limit_period_sec": "in how many seconds",
            "polling_interval_sec": "Polled every, in seconds",
        }

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, instance=Queue.objects.filter(name=name).first(), **kwargs)
        self.name = name
        for field, value in self.initial.items():
            if isinstance(value, float) and value.is_integer():
                self.initial[field] = int(value)

    def perform(self, actor: Actor) -> ActionResult:
        data = self.cleaned_data
        actions.change_queue(actor, self.settings(), as_of=data["as_of"], reason=data["reason"])
        url = reverse("dboshub:queues:detail", args=[self.name])
        return ActionResult("Saved: workers take these limits at their next poll.", url)
