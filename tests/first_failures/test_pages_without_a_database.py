"""Connections of pages: a server that is away is told at once, a busy pool is waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError, connections
from django.db.utils import load_backend

from dboshub.env import django_database
from tests.first_failures.unreachable import REFUSING, SOON_S, silent_server

Connect = Callable[[str], Any]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """A connection of Django's by URL, from a pool of one; not of the test's own databases."""
    opened: list[Any] = []

    def wrapper(url: str) -> Any:
        config = {**connections.settings["default"], **django_database(url, pool_size=1)}
        config["OPTIONS"]["pool"]["max_size"] = 1
        alias = f"first_failures_{len(opened)}_{time.monotonic_ns()}"
        made = load_backend(config["ENGINE"]).DatabaseWrapper(config, alias)
        opened.append(made)
        return made

    yield wrapper
    for each in opened:
        each.close()
        each.close_pool()


def connected(wrapper: Any) -> Any:
    """Connect past the guard that keeps tests off other databases."""
    return wrapper.get_new_connection(wrapper.get_connection_params())


def test_a_server_that_refuses_is_told_at_once_and_with_its_reason(connect: Connect) -> None:
    wrapper = connect(REFUSING)
    for _ in range(2):
        begun = time.monotonic()
        with (
            pytest.raises(OperationalError, match="Connection refused"),
            wrapper.wrap_database_errors,
        ):
            connected(wrapper)
        assert time.monotonic() - begun < SOON_S


def test_a_silent_server_is_given_up(connect: Connect) -> None:
    with silent_server() as url:
        begun = time.monotonic()
        wrapper = connect(url)
        with pytest.raises(OperationalError, match="timeout expired"), wrapper.wrap_database_errors:
            connected(wrapper)
        assert time.monotonic() - begun < SOON_S


def test_a_pool_that_is_busy_is_waited_for(postgres_url: str, connect: Connect) -> None:
    """The only connection comes back after the pool's own patience is over."""
    wrapper = connect(postgres_url)
    held = connected(wrapper)
    threading.Timer(1.5, lambda: wrapper.pool.putconn(held)).start()
    begun = time.monotonic()
    again = connected(wrapper)
    assert 1 < time.monotonic() - begun < 9
    wrapper.pool.putconn(again)
