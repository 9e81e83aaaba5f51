"""Running a block of a document as it stands, given names and modules for what lies outside it."""

from __future__ import annotations

import asyncio
import builtins
import importlib
import json
import os
import random
import threading
import time
import typing
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, NoReturn

import fastapi
import httpx
import pytest

import dboshub
from dboshub import DBOS
from tests.docs_examples.blocks import Block, blocks

BLOCKS = {each.name: each for each in blocks()}
CLAIMED: set[str] = set()
NAME = "seed-block"


def of(*names: str) -> pytest.MarkDecorator:
    """Say which blocks a test runs: it runs once with each, as its fixture `page`."""
    CLAIMED.update(names)
    return pytest.mark.parametrize("page", [*names], indirect=True)


class StoppedForever(BaseException):
    """Where a program would wait until somebody ends it."""


class Visitor:
    """Calls a web application within this process."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def get(self, path: str) -> Any:
        return self._answer("GET", path)

    def post(self, path: str) -> Any:
        return self._answer("POST", path)

    def _answer(self, method: str, path: str) -> Any:
        return asyncio.run(self._ask(method, path))

    async def _ask(self, method: str, path: str) -> Any:
        transport = httpx.ASGITransport(app=self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return (await client.request(method, path)).raise_for_status().json()


Visit = Callable[[Visitor], Any]


class Page:
    """One block and the names it finds. Its definitions are read like a module's: `page.workflow`.

    Reading ``dbos`` from it gives this project; nothing else of the block is changed.
    """

    def __init__(self, block: Block, url: str) -> None:
        self.block = block
        self.code = block.code
        self.url = url
        self.answers: list[Any] = []
        self.visits: list[Visit] = []
        self._instead: dict[str, Any] = {"uvicorn": SimpleNamespace(run=self._serve)}
        self.names: dict[str, Any] = {"__name__": f"seeds.{block.name}", **_usual_imports()}
        self.names["uvicorn"] = self._instead["uvicorn"]
        self.names["__builtins__"] = {**vars(builtins), "__import__": self._import}

    def __getattr__(self, name: str) -> Any:
        try:
            return self.names[name]
        except KeyError:
            raise AttributeError(name) from None

    def given(self, *steps: str, **names: Any) -> Page:
        """Supply what the block uses and does not define: steps that echo, or anything else."""
        self.names.update({name: echo(name) for name in steps} | names)
        return self

    def instead_of(self, **modules: Any) -> Page:
        """Let the block import something else under a module's name."""
        self._instead.update(modules)
        return self

    def run(self, *, as_main: bool = False) -> Page:
        if as_main:
            self.names["__name__"] = "__main__"
        code = compile(self.code, self.block.name, "exec", dont_inherit=True)
        exec(code, self.names)
        return self

    def launch(self) -> Page:
        DBOS(config={"name": NAME, "system_database_url": self.url})
        DBOS.launch()
        return self

    def serves(self, *visits: Visit) -> Page:
        """Say how its web application is visited when it calls uvicorn."""
        self.visits = [*visits]
        return self

    def runs_within(self, definition: str) -> Page:
        """Make the block the body of a function: it is cut from the middle of one."""
        lines = (f"    {line}" if line else "" for line in self.code.splitlines())
        self.code = "\n".join((definition, *lines))
        return self.run()

    def _serve(self, app: Any, **where: Any) -> None:
        self.answers = [visit(Visitor(app)) for visit in self.visits]

    def _import(self, name: str, *args: Any) -> Any:
        if name in self._instead:
            return self._instead[name]
        if name == "dbos" or name.startswith("dbos."):
            return dboshub
        return importlib.__import__(name, *args)


def echo(name: str) -> Any:
    """A step that tells what it was called with."""

    def step(*args: Any) -> list[Any]:
        return [name, *args]

    step.__name__ = step.__qualname__ = name
    return DBOS.step(name=name)(step)


def returning(name: str, value: Any) -> Any:
    """A step that returns one value."""
    return DBOS.step(name=name)(lambda *args: value)


def forever(*args: Any) -> NoReturn:
    raise StoppedForever


def steps_of(workflow_id: str) -> list[str]:
    return [each["function_name"] for each in DBOS.list_workflow_steps(workflow_id)]


def latest(name: str) -> str:
    """The id of the latest workflow of a name."""
    [found] = DBOS.list_workflows(name=name, sort_desc=True, limit=1)
    return str(found.workflow_id)


def outputs(handles: Sequence[Any]) -> list[Any]:
    return [handle.get_result() for handle in handles]


def _usual_imports() -> dict[str, Any]:
    """The imports that the documents leave out of most blocks."""
    modules = (asyncio, json, os, random, threading, time, pytest)
    return {
        **{module.__name__: module for module in modules},
        **{name: getattr(dboshub, name) for name in dboshub.__all__},
        **{name: getattr(fastapi, name) for name in ("FastAPI", "HTTPException", "Response")},
        **{name: getattr(typing, name) for name in ("Any", "Optional", "TypedDict", "Union")},
        **{name: getattr(typing, name) for name in ("List", "Dict")},
    }
