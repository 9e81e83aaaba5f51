"""The workflows of the suite. Each execution of a step draws a token, notes it and returns it.

So the value that is recorded names the execution that was recorded, and a result names the steps
that it was made of.
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from typing import Any

from django.db import Error as DatabaseError
from django.db import connection
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from dboshub import DBOS, SQLAlchemyDatasource
from tests.chaos.ledger import Ledger
from tests.chaos.names import COMPLAINT, PERIOD_S, PLAIN, QUEUES, SAID

ledger = Ledger.of_environment()

STEP_S = 0.02
NAP_S = 0.2
# Longer than any fault: who waits for a message waits for it until it comes.
PATIENCE_S = 600.0

URL = os.environ["DBOS_SYSTEM_DATABASE_URL"]
# Behind a pooler no statement is prepared.
ARGUMENTS = {} if URL.startswith("sqlite") else {"prepare_threshold": None}
# Not by `create`, which asks the database: a process may begin while that is away.
shop = SQLAlchemyDatasource(
    database_url=URL,
    engine_kwargs={"pool_pre_ping": True, "connect_args": ARGUMENTS},
    engine=None,
    schema=None,
    serializer=None,
)
SOLD = text("INSERT INTO chaos_sales (workflow, number) VALUES (:workflow, :number)")


def register_queues() -> None:
    for each in QUEUES:
        DBOS.register_queue(
            each.name,
            concurrency=each.concurrency,
            worker_concurrency=each.worker_concurrency,
            partition_concurrency=each.partition_concurrency,
            limiter={"limit": each.starts, "period": PERIOD_S} if each.starts else None,
            polling_interval_sec=0.2,
        )


def begin() -> str:
    token = uuid.uuid4().hex
    ledger.write("began", workflow=DBOS.workflow_id, step=DBOS.step_id, token=token)
    return token


@DBOS.step()
def effect() -> str:
    token = begin()
    time.sleep(STEP_S)
    ledger.write("ended", token=token)
    return token


@DBOS.step()
async def effect_on_loop() -> str:
    token = begin()
    await asyncio.sleep(STEP_S)
    ledger.write("ended", token=token)
    return token


@DBOS.transaction()
def enter(number: int) -> str:
    """Enter the workflow in the books; the checkpoint is part of the transaction."""
    token = begin()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO chaos_books (workflow, number) VALUES (%s, %s)", [DBOS.workflow_id, number]
        )
    ledger.write("ended", token=token)
    return token


@shop.transaction()
def sell(number: int) -> str:
    """The same on a connection of a datasource, whose checkpoints are copied afterwards."""
    token = begin()
    shop.sql_session().execute(SOLD, {"workflow": DBOS.workflow_id, "number": number})
    ledger.write("ended", token=token)
    return token


def recorded(token: str) -> str:
    """Note that a step gave its value to its workflow: from now on it may not run again."""
    ledger.write("recorded", token=token)
    return token


def result(number: int, *tokens: str, **more: Any) -> dict[str, Any]:
    return {"number": number, "tokens": [*tokens], **more}


@DBOS.workflow()
def steps(number: int) -> dict[str, Any]:
    return result(number, recorded(effect()), recorded(effect()), recorded(effect()))


@DBOS.workflow()
async def looped(number: int) -> dict[str, Any]:
    return result(number, recorded(await effect_on_loop()), recorded(await effect_on_loop()))


@DBOS.workflow()
def family(number: int) -> dict[str, Any]:
    """One child runs here, one on a queue."""
    first = recorded(effect())
    children = [
        DBOS.start_workflow(steps, number),
        DBOS.enqueue_workflow(PLAIN.name, looped, number),
    ]
    of_children = [token for child in children for token in child.get_result()["tokens"]]
    return result(number, first, *of_children, recorded(effect()))


@DBOS.workflow()
def napping(number: int) -> dict[str, Any]:
    first = recorded(effect())
    DBOS.sleep(NAP_S)
    return result(number, first, recorded(effect()))


@DBOS.workflow()
def listening(number: int) -> dict[str, Any]:
    first = recorded(effect())
    heard = DBOS.recv("chaos", timeout_seconds=PATIENCE_S)
    return result(number, first, recorded(effect()), heard=heard)


@DBOS.workflow()
def announcing(number: int) -> dict[str, Any]:
    first = recorded(effect())
    DBOS.set_event("number", number)
    for each in SAID:
        DBOS.write_stream("said", each)
    DBOS.close_stream("said")
    return result(number, first, recorded(effect()))


@DBOS.workflow()
def booking(number: int) -> dict[str, Any]:
    """A transaction's own connection may be cut, which is its program's to answer."""
    first = recorded(effect())
    while True:
        try:
            return result(number, first, recorded(enter(number)))
        except DatabaseError as error:
            ledger.write("cut", workflow=DBOS.workflow_id, error=repr(error))
            DBOS.sleep(NAP_S)


@DBOS.workflow()
def selling(number: int) -> dict[str, Any]:
    first = recorded(effect())
    while True:
        try:
            return result(number, first, recorded(sell(number)))
        except SQLAlchemyError as error:
            ledger.write("cut", workflow=DBOS.workflow_id, error=repr(error))
            DBOS.sleep(NAP_S)


@DBOS.workflow()
def failing(number: int) -> dict[str, Any]:
    recorded(effect())
    raise ValueError(COMPLAINT)
