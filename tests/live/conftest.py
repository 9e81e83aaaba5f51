"""A hub of this test's own, quick; a foreign writer; and tabs that speak to the real consumer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from dboshub.live.fanout import Broadcaster
    from tests.live.foreign import ForeignWriter
    from tests.live.tab import Tab


@pytest.fixture
def writer(transactional_db: None) -> Iterator[ForeignWriter]:
    """Somebody else's process, as far as Django and the hub can tell."""
    from dboshub.live.singletons import system_url
    from dboshub.workflows.storage.database import open_database
    from tests.live.foreign import ForeignWriter

    database = open_database(system_url(), pool_size=1)
    try:
        yield ForeignWriter(database)
    finally:
        database.close()


@pytest.fixture
def broadcaster(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broadcaster]:
    """This process's hub, whose watcher thread has ended when the test has."""
    from dboshub.live import singletons
    from tests.support.eventually import eventually

    singletons.broadcaster.cache_clear()
    broadcaster = singletons.broadcaster()
    try:
        yield broadcaster
    finally:
        eventually(
            lambda: not broadcaster.has_viewers and not broadcaster.on_new_viewer.__self__._thread
        )
        singletons.broadcaster.cache_clear()


@pytest.fixture
def viewer(transactional_db: None, make_user: Callable[..., User]) -> User:
    """A user who may see workflows and their payloads."""
    return make_user("ada", "dboshub_workflows.view_workflow", "dboshub_workflows.view_payload")


@pytest_asyncio.fixture
async def open_tab(broadcaster: Broadcaster) -> AsyncIterator[Callable[..., Tab]]:
    """Open a page's socket for a user: `await open_tab(user)`."""
    from tests.live.tab import Tab

    tabs: list[Tab] = []

    async def open_one(user: User | None, **headers: str) -> Tab:
        tab = await Tab.opened(user, **headers)
        tabs.append(tab)
        return tab

    yield open_one
    for tab in tabs:
        await tab.leave()
