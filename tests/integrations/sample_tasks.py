"""Tasks of Django's, as an application would write them."""

from __future__ import annotations

import asyncio
from typing import Any

from django_tasks import TaskContext, task

from dboshub import DBOS

ran: list[str] = []


@DBOS.step()
def weigh(parcel: str) -> int:
    ran.append(f"weigh {parcel}")
    return len(parcel)


@task()
def pack(parcel: str, *, gift: bool = False) -> dict[str, Any]:
    return {"weight": weigh(parcel), "gift": gift}


@task(priority=10, queue_name="urgent")
async def fly(parcel: str) -> str:
    await asyncio.sleep(0)
    return f"{parcel} flew"


@task(takes_context=True)
def count(context: TaskContext, step: int) -> list[Any]:
    return [context.attempt, context.task_result.id == DBOS.workflow_id, step]


@task()
def lose(parcel: str) -> None:
    raise LookupError(f"where is {parcel}?")


@task()
def return_it(kind: str) -> object:
    return object()
