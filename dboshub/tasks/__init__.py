"""A backend for Django's tasks: what is enqueued becomes a durable workflow on our queues.

    TASKS = {"default": {"BACKEND": "dboshub.tasks.WorkflowTaskBackend", "QUEUES": ["default"]}}

Django 6 brings ``django.tasks``; Django 5.2 needs the backport: ``pip install 'dboshub[tasks]'``.
"""

from __future__ import annotations

from dboshub.tasks.backend import WorkflowTaskBackend

__all__ = ["WorkflowTaskBackend"]
