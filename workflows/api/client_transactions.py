"""Part of ``DBOSClient``: writes in a transaction that the caller owns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from dboshub.workflows.engine.current_engine import ClientContext, engine, using_client
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.handles import WorkflowHandle
from dboshub.workflows.engine.operations import sending
from dboshub.workflows.engine.operations.sending import SendMessage
from dboshub.workflows.engine.ports import JoinedTransaction
from dboshub.workflows.engine.programs import run
from dboshub.workflows.engine.records import UnseenId
from dboshub.workflows.engine.runtime.bulk_starting import enqueue_all
from dboshub.workflows.engine.runtime.call_options import (
    CallOptions,
    EnqueueOptions,
    checked_parameters,
)
from dboshub.workflows.engine.runtime.enqueueing import enqueue_as, options_of_client
from dboshub.workflows.engine.runtime.workflow_call import WorkflowCall
from dboshub.workflows.engine.serialization import WorkflowSerializationFormat
from dboshub.workflows.engine.shard_keys import accept_null_shard_key
from dboshub.workflows.engine.sync_async import as_handles

# The transaction of the caller that a client writes in.
JOINED: ContextVar[JoinedTransaction | None] = ContextVar("dboshub_joined", default=None)
DEFAULT = WorkflowSerializationFormat.DEFAULT


class TransactionsClient(ABC):
    """Enqueue and send as a part of the caller's transaction."""

    _client_context: ClientContext

    @abstractmethod
    def _joined(self, connection: Any) -> JoinedTransaction:
        """The transaction that a caller's connection has open."""

    def enqueue_in_transaction(
        self, conn_or_session: Any, options: EnqueueOptions, *args: Any, **kwargs: Any
    ) -> WorkflowHandle[Any]:
        """Enqueue in the caller's transaction: the workflow exists once that commits.

        `conn_or_session` is a connection to the system database: SQLAlchemy's (or a session),
        psycopg's, sqlite3's or Django's. Raises DBOSException for a ``duplication_policy``
        ``return-existing``: what exists may not be committed yet.
        """
        _refuse_returning(options)
        with self._within_transaction(conn_or_session):
            workflow_id = run(enqueue_as(engine(), checked_parameters(options), args, kwargs))
            return WorkflowHandle(UnseenId(workflow_id))

    def enqueue_workflows_in_transaction(
        self,
        conn_or_session: Any,
        queue_name: str,
        calls: Iterable[WorkflowCall[Any]],
        *,
        atomic: bool = False,
    ) -> list[WorkflowHandle[Any] | Exception]:
        """Enqueue workflows in the caller's transaction; see ``DBOS.enqueue_workflows``."""
        given = [*calls]
        for each in given:
            _refuse_returning(each.given)
        with self._within_transaction(conn_or_session):
            program = enqueue_all(
                engine(), queue_name, given, options_of_client(), is_atomic=atomic
            )
            return as_handles(run(program))

    @accept_null_shard_key
    def send_in_transaction(
        self,
        conn_or_session: Any,
        destination_id: str,
        message: Any,
        topic: str | None = None,
        idempotency_key: str | None = None,
        *,
        serialization_type: WorkflowSerializationFormat | None = DEFAULT,
        send_to_forks: bool = False,
    ) -> None:
        """Send a message in the caller's transaction; see ``enqueue_in_transaction``."""
        given = SendMessage(destination_id, message, topic, idempotency_key)
        with self._within_transaction(conn_or_session):
            run(
                sending.send(
                    engine(), given, serialization=serialization_type, to_forks=send_to_forks
                )
            )

    def send_bulk_in_transaction(
        self,
        conn_or_session: Any,
        messages: list[SendMessage],
        *,
        serialization_type: WorkflowSerializationFormat | None = DEFAULT,
        send_to_forks: bool = False,
    ) -> None:
        """Send messages in the caller's transaction; see ``enqueue_in_transaction``."""
        with self._within_transaction(conn_or_session):
            run(
                sending.send_bulk(
                    engine(), messages, serialization=serialization_type, to_forks=send_to_forks
                )
            )

    @contextmanager
    def _within_transaction(self, connection: Any) -> Iterator[None]:
        token = JOINED.set(self._joined(connection))
        try:
            with using_client(self._client_context):
                yield
        finally:
            JOINED.reset(token)


def _refuse_returning(options: CallOptions) -> None:
    if options.get("duplication_policy") == "return-existing":
        raise DBOSException(
            "duplication_policy 'return-existing' is not supported by enqueue_in_transaction. "
            "Use enqueue instead."
        )
