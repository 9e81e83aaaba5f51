"""Datasource hooks of the engine: delete checkpoints before a rewind, close at the end."""

from __future__ import annotations

from collections.abc import Callable

from dboshub.workflows.datasources.base import Source
from dboshub.workflows.datasources.transaction_step import delete_checkpoints_from
from dboshub.workflows.engine.runtime.engine import Engine


def checkpoint_deletion(engine: Engine) -> Callable[[str, int], None]:
    """A hook that deletes the checkpoints of a workflow from a step on, before its rewind."""

    def forget(workflow_id: str, start_step: int) -> None:
        if Source.known and engine.store.terminal_among([workflow_id]):
            for source in [*Source.known]:
                source.run_program(engine, delete_checkpoints_from(source, workflow_id, start_step))

    return forget


def release(engine: Engine) -> None:
    """Close the connections that datasources keep for the engine; log those that fail."""
    for source in [*Source.known]:
        try:
            source.release(engine)
        except Exception as error:
            engine.logger.warning("a datasource was not closed: %s", error)
    if engine.application is not None:
        engine.application.close()
