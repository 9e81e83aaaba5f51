"""The form that starts a workflow, with a field for each published parameter."""

from __future__ import annotations

from typing import Any

from django import forms

from dboshub.workflows.actions.start_request import StartRequest
from dboshub.workflows.forms.argument_nodes import ArgumentsForm
from dboshub.workflows.forms.confirm_form import MAX_TEXT
from dboshub.workflows.selectors.startable import Startable

YEAR_S = 366 * 86_400


class StartForm(ArgumentsForm):
    """Without `what`, no executor publishes the signature: the arguments are one JSON array and
    one JSON object."""

    workflow_id = forms.CharField(
        required=False,
        max_length=MAX_TEXT,
        help_text="Empty: a random id. A workflow of this id starts only once.",
    )
    queue = forms.ChoiceField(required=False)
    partition_key = forms.CharField(required=False, max_length=MAX_TEXT)
    priority = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=2**31 - 1,
        help_text="Lower numbers start first; 0 is the default.",
    )
    deduplication_id = forms.CharField(
        required=False,
        max_length=MAX_TEXT,
        help_text="Refused while another workflow on the queue has it.",
    )
    delay = forms.FloatField(required=False, min_value=0, max_value=YEAR_S, help_text="Seconds.")
    timeout = forms.FloatField(
        required=False, min_value=0.001, max_value=YEAR_S, help_text="Seconds from its start."
    )
    version = forms.ChoiceField(required=False)
    reason = forms.CharField(
        required=False,
        max_length=MAX_TEXT,
        help_text="Kept in the audit log.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(
        self,
        name: str,
        application: str | None,
        what: Startable | None,
        *args: Any,
        queues: tuple[str, ...] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(what.parameters if what else {}, *args, **kwargs)
        self.name, self.application, self.what = name, application, what
        now = ("", "none: as soon as possible, past every limit")
        _choices(self.fields["queue"], [now, *((queue, queue) for queue in queues)])
        versions = what.versions if what else ()
        newest = ("", "the newest that runs")
        _choices(self.fields["version"], [newest, *((each, each) for each in versions)])
        if what is not None and what.instances is not None:
            self.fields["instance"] = forms.ChoiceField(
                choices=[(each, each) for each in what.instances],
                help_text=f"Of the class {what.class_name}.",
            )

    @property
    def instance_fields(self) -> list[forms.BoundField]:
        return [self["instance"]] if "instance" in self.fields else []

    @property
    def option_fields(self) -> list[forms.BoundField]:
        own = ("queue", "priority", "partition_key", "deduplication_id")
        return [self[name] for name in (*own, "delay", "timeout", "version", "workflow_id")]

    @property
    def reason_fields(self) -> list[forms.BoundField]:
        return [self["reason"]]

    @property
    def has_option_errors(self) -> bool:
        return any(field.errors for field in self.option_fields)

    def start_request(self) -> StartRequest:
        """The request of a valid form."""
        data, what = self.cleaned_data, self.what
        args, kwargs = self.given()
        return StartRequest(
            name=self.name,
            application=self.application,
            class_name=what.class_name if what else None,
            config_name=data.get("instance") or None,
            is_portable=what.is_portable if what else True,
            args=args,
            kwargs=kwargs,
            workflow_id=data["workflow_id"],
            queue=data["queue"],
            partition_key=data["partition_key"],
            deduplication_id=data["deduplication_id"],
            priority=data["priority"] or 0,
            delay_s=data["delay"],
            timeout_s=data["timeout"],
            version=data["version"],
        )


def _choices(field: forms.Field, choices: list[tuple[str, str]]) -> None:
    assert isinstance(field, forms.ChoiceField)
    field.choices = choices
