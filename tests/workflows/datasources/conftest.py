"""A database of the application's own beside the system database, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from dboshub import DBOS, SQLAlchemyDatasource
from dboshub.workflows.datasources.base import Source
from dboshub.workflows.datasources.sqlalchemy_support import driver_url
from tests.support.launched import config, dbos, launch

__all__ = ["config", "dbos", "launch"]
Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def application_url(database_url: str, tmp_path: Path) -> str:
    """On PostgreSQL the system database serves; on SQLite it has room for one writer only."""
    if database_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'application.sqlite3'}"
    return database_url


@pytest.fixture
def ask(application_url: str) -> Ask:
    """Ask the application's database: ask("SELECT … WHERE x = :x", x=1)."""
    engine = sqlalchemy.create_engine(
        driver_url(application_url), poolclass=sqlalchemy.pool.NullPool
    )

    def ask(sql: str, **params: Any) -> list[tuple[Any, ...]]:
        if application_url.startswith("sqlite"):
            sql = sql.replace("dbos.", "")
        with engine.begin() as connection:
            found = connection.execute(sqlalchemy.text(sql), params)
            return [tuple(row) for row in found] if found.returns_rows else []

    ask("CREATE TABLE effects (name TEXT NOT NULL)")
    ask("CREATE TABLE counter (value INTEGER NOT NULL)")
    return ask


@pytest.fixture
def no_other_datasources(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests made is on databases that are gone."""
    monkeypatch.setattr(Source, "known", set())


@pytest.fixture
def source(
    application_url: str, ask: Ask, no_other_datasources: None
) -> Iterator[SQLAlchemyDatasource]:
    made = SQLAlchemyDatasource.create(application_url)
    yield made
    made.close()


@pytest.fixture
def hub(source: SQLAlchemyDatasource, launch: Callable[..., None]) -> type[DBOS]:
    launch()
    return DBOS
