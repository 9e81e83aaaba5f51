"""What happens between processes and a PostgreSQL server: each lasts, and is over."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import psycopg

from tests.chaos.proxy import Cut, Proxy
from tests.chaos.world import World

END_ALL = """
    SELECT pg_terminate_backend(pid)
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND application_name <> 'outsider'
"""

Fault = Callable[[World, Proxy], None]


def during(seconds: float, fault: Callable[[Proxy], AbstractContextManager[None]]) -> Fault:
    """A fault of the proxy that lasts so many seconds."""

    def bring(world: World, proxy: Proxy) -> None:
        with world.fault(), fault(proxy):
            world.run(seconds)

    return bring


def refused(proxy: Proxy) -> AbstractContextManager[None]:
    return proxy.refusing()


def late(by_s: float) -> Callable[[Proxy], AbstractContextManager[None]]:
    return lambda proxy: proxy.delaying(by_s)


def forgotten(*, new_ones: bool) -> Callable[[Proxy], AbstractContextManager[None]]:
    return lambda proxy: proxy.forgetting(new_ones=new_ones)


def cut(where: Cut, every: int) -> Callable[[Proxy], AbstractContextManager[None]]:
    return lambda proxy: proxy.cutting(where, every=every)


def dropped(times: int) -> Fault:
    """Every connection is reset, again and again."""

    def bring(world: World, proxy: Proxy) -> None:
        with world.fault():
            for _ in range(times):
                proxy.drop()
                world.run(0.5)

    return bring


def ended_by_the_server(times: int) -> Fault:
    """An administrator ends every session, again and again."""

    def bring(world: World, proxy: Proxy) -> None:
        with world.fault(), psycopg.connect(world.database_url, autocommit=True) as admin:
            for _ in range(times):
                admin.execute(END_ALL)
                world.run(0.5)

    return bring
