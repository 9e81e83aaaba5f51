"""Django's connections in engine threads: opened by a step, not kept while the workflow waits."""

from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from dboshub import DBOS


@DBOS.step(name="django.opens")
def opens() -> bool:
    connection.ensure_connection()
    return connection.connection is not None


@DBOS.workflow(name="django.looks")
def looks() -> tuple[bool, bool]:
    return opens(), connection.connection is not None


@pytest.mark.django_db(transaction=True)
def test_a_step_leaves_no_connection_open(dbos: type[DBOS]) -> None:
    assert DBOS.start_workflow(looks).get_result() == (True, False)


def is_open() -> bool:
    return connection.connection is not None


@DBOS.step(name="django.opens_async")
async def opens_async() -> bool:
    await sync_to_async(lambda: connection.ensure_connection())()  # the wrapper of that thread
    return await sync_to_async(is_open)()


@DBOS.workflow(name="django.looks_async")
async def looks_async() -> tuple[bool, bool]:
    return await opens_async(), await sync_to_async(is_open)()


@DBOS.workflow(name="django.opens_outside_steps")
async def opens_outside_steps() -> list[object]:
    await sync_to_async(lambda: connection.ensure_connection())()
    first = await sync_to_async(lambda: connection.connection)()
    return [first is not None, await looks_inside()]


@DBOS.step(name="django.looks_inside")
async def looks_inside() -> bool:
    return await sync_to_async(is_open)()


@pytest.mark.django_db(transaction=True)
def test_an_async_step_begins_without_what_others_left_open(dbos: type[DBOS]) -> None:
    async def run() -> list[object]:
        handle = await DBOS.start_workflow_async(opens_outside_steps)
        return await handle.get_result()

    assert asyncio.run(run()) == [True, False]


@pytest.mark.django_db(transaction=True)
def test_an_async_step_leaves_no_connection_open(dbos: type[DBOS]) -> None:
    async def run() -> tuple[bool, bool]:
        handle = await DBOS.start_workflow_async(looks_async)
        return await handle.get_result()

    assert asyncio.run(run()) == (True, False)
