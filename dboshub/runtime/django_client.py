"""The client that serves a Django process while no engine is launched in it.

A web server, a shell or a script of a Django project starts, lists, awaits and changes workflows
through it; workers run them. It is made by the first call, once per process, and again by the
first call after a fork.
"""

from __future__ import annotations

import atexit
import os
import threading
from dataclasses import dataclass
from typing import Any

from dboshub.queues.storage.store import RegistryStore
from dboshub.schedules.engine.runs import Runs
from dboshub.schedules.engine.schedule_registry import ScheduleServices
from dboshub.schedules.storage.store import ScheduleStore
from dboshub.workflows.django_client_engine import DjangoClientEngine
from dboshub.workflows.django_database import DjangoDatabase
from dboshub.workflows.django_settings import application_name, dbos_config, system_alias
from dboshub.workflows.engine.current_engine import ClientContext
from dboshub.workflows.engine.serialization import Codec

CLOSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Identity:
    """The settings that a client was made of; under others another one is made."""

    alias: str
    application: str
    serializer: Any


class DjangoClient:
    """The client of this process, and the settings that it was made of."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        database = DjangoDatabase(identity.alias)
        application, codec = identity.application, Codec(identity.serializer)
        self.engine = DjangoClientEngine(database, application, codec)
        schedules = ScheduleStore(database, application=application)
        runs = Runs(schedules, database.clock, codec, application=application)
        self.context = ClientContext(
            self.engine,
            {
                "queues": RegistryStore(database, database.clock, application=application),
                "schedules": ScheduleServices(schedules, runs, lambda: None),
            },
        )


class OnDjango:
    """The process's client: made when it is needed, again under other settings."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._client: DjangoClient | None = None

    def context(self) -> ClientContext | None:
        """None once DBOS is configured: who does that is about to launch, not to run nothing."""
        from dboshub.facade import DBOS

        return None if DBOS._instance is not None else self.client().context

    def client(self) -> DjangoClient:
        """Raises ImproperlyConfigured for settings that cannot be."""
        wanted = Identity(system_alias(), application_name(), dbos_config().get("serializer"))
        client = self._client
        if client is None or client.identity != wanted:
            client = self._renewed(wanted)
        return client

    def close(self) -> None:
        """End it; those who wait get DBOSException."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.engine.close(CLOSE_S)

    def forget(self) -> None:
        """In a forked child there are none of its threads, and its locks are as they were."""
        self._lock, self._client = threading.Lock(), None

    def _renewed(self, wanted: Identity) -> DjangoClient:
        with self._lock:
            found = self._client
            if found is None or found.identity != wanted:
                if found is not None:
                    found.engine.close(CLOSE_S)
                found = self._client = DjangoClient(wanted)
            return found


process_client = OnDjango()
os.register_at_fork(after_in_child=process_client.forget)
atexit.register(process_client.close)
