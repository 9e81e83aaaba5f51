"""A process of either library that runs one workflow, and may die where it hurts most.

    python -m tests.workflows.datasources.program LIBRARY KIND SYSTEM_URL APPLICATION_URL [die]

Its transaction writes into effects; dying is a SIGKILL right after the COMMIT of the application's
database, before the system database hears of it. KIND is blocking or awaiting.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.orm import Session

INSERT = text("INSERT INTO effects VALUES ('once')")


def main(library: str, kind: str, system_url: str, application_url: str, *how: str) -> None:
    api = importlib.import_module(library)
    api.DBOS(
        config={
            "name": "crashing",
            "system_database_url": system_url,
            "application_version": "v1",
            "executor_id": library,
        }
    )
    run = blocking if kind == "blocking" else awaiting
    run(api, application_url, is_mortal="die" in how)


def blocking(api: Any, url: str, *, is_mortal: bool) -> None:
    source = api.SQLAlchemyDatasource.create(url)

    @source.transaction(name="save")
    def save() -> str:
        source.sql_session().execute(INSERT)
        if is_mortal:
            die_after_commit(source.sql_session())
        return "saved"

    @api.DBOS.workflow(name="crash")
    def crash() -> str:
        return save()  # type: ignore[no-any-return]

    api.DBOS.launch()
    with api.SetWorkflowID("w"):
        handle = api.DBOS.start_workflow(crash)
    resume_foreign(api)
    sys.stdout.write(handle.get_result())
    api.DBOS.destroy()


def awaiting(api: Any, url: str, *, is_mortal: bool) -> None:
    async def run() -> None:
        source = await api.AsyncSQLAlchemyDatasource.create(url)

        @source.transaction(name="save")
        async def save() -> str:
            await source.sql_session().execute(INSERT)
            if is_mortal:
                die_after_commit(source.sql_session().sync_session)
            return "saved"

        @api.DBOS.workflow(name="crash")
        async def crash() -> str:
            return await save()  # type: ignore[no-any-return]

        api.DBOS.launch()
        with api.SetWorkflowID("w"):
            handle = await api.DBOS.start_workflow_async(crash)
        await asyncio.to_thread(resume_foreign, api)
        sys.stdout.write(await handle.get_result())
        api.DBOS.destroy()

    asyncio.run(run())


def die_after_commit(session: Session) -> None:
    event.listen(session, "after_commit", lambda session: os.kill(os.getpid(), signal.SIGKILL))


def resume_foreign(api: Any) -> None:
    """What the other library left behind is nobody's until somebody says so."""
    row = api.DBOS.get_workflow_status("w")
    if row is not None and row.executor_id != api.__name__ and row.status == "PENDING":
        api.DBOS.resume_workflow("w")


if __name__ == "__main__":
    main(*sys.argv[1:])
