"""Queue names in URLs: any text, told apart from the pages' other addresses."""

from __future__ import annotations

from base64 import urlsafe_b64encode

from django.urls import reverse

from workflows.converters import WorkflowId


class QueueName(WorkflowId):
    """The path converter `<queue:…>`."""

    def to_url(self, value: str) -> str:
        if value == "do" or value.startswith("do/"):
            return "~" + urlsafe_b64encode(value.encode()).decode()
        return super().to_url(value)


def detail_url(name: str) -> str:
    return reverse("queues:detail", args=[name])
