"""What was registered is what runs: its function on its receiver, however the run began."""

from __future__ import annotations

import copy
import threading
import types
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from dboshub import DBOS, DBOSConfiguredInstance, DBOSContextSetAuth
from dboshub.workflows.engine.errors import (
    DBOSException,
    DBOSWorkflowFunctionNotFoundError,
)
from dboshub.workflows.engine.registration.registry import registry
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.sql import Statement

DIED = Statement(
    "UPDATE {workflow_status} SET status = 'PENDING', owner_xid = 'hub:gone:1', "
    "completed_at = NULL, queue_name = NULL"
)
CLASSES = Statement(
    "SELECT name, class_name, config_name FROM {workflow_status} ORDER BY created_at"
)


@DBOS.workflow()
def plain_workflow(x: int) -> str:
    return f"function {x}"


@DBOS.step()
def plain_step(x: int) -> str:
    return f"function {x}"


@DBOS.dbos_class("WrongBase")
class Base(DBOSConfiguredInstance):
    kind = "base"

    def hook(self) -> str:
        return self.kind

    @DBOS.workflow()
    def on_instance(self, x: int) -> str:
        return f"{self.hook()} {self.config_name} {x}"

    @DBOS.step()
    def step_on_instance(self, x: int) -> str:
        return f"{self.hook()} {self.config_name} {x}"

    @DBOS.step()
    async def async_step_on_instance(self, x: int) -> str:
        return f"{self.hook()} {self.config_name} {x}"

    @classmethod
    @DBOS.workflow()
    def on_class(cls, x: int) -> str:
        return f"{cls.__name__} {cls.kind} {x}"

    @classmethod
    @DBOS.step()
    def step_on_class(cls, x: int) -> str:
        return f"{cls.__name__} {cls.kind} {x}"

    @classmethod
    @DBOS.workflow()
    def ticked(cls, at: datetime, context: Any) -> str:
        return f"{cls.__name__} {context}"

    @staticmethod
    @DBOS.workflow()
    def static(x: int) -> str:
        return f"static {x}"

    @staticmethod
    @DBOS.step()
    def static_step(x: int) -> str:
        return f"static {x}"

    @DBOS.workflow()
    @staticmethod
    def over_static(x: int) -> str:
        return f"static {x}"

    @DBOS.step()
    @staticmethod
    def step_over_static(x: int) -> str:
        return f"static {x}"

    @DBOS.workflow()  # type: ignore[arg-type]  # a class method is not callable, says mypy
    @classmethod
    def over_class(cls, x: int) -> str:
        return f"{cls.__name__} {cls.kind} {x}"


class Undecorated(Base):
    kind = "undecorated"

    @DBOS.workflow()
    def overridden(self, x: int) -> str:
        return f"{self.hook()} {self.config_name} {x}"


@DBOS.dbos_class("WrongDecorated")
class Decorated(Base):
    kind = "decorated"


base, undecorated, decorated = Base("one"), Undecorated("two"), Decorated("one")
STATIC = ("static", "static_step", "over_static", "step_over_static")
ON_INSTANCE = ("on_instance", "step_on_instance", "async_step_on_instance")
ON_CLASS = ("on_class", "step_on_class", "over_class")


def targets() -> dict[str, tuple[Callable[..., Any], str]]:
    found: dict[str, tuple[Callable[..., Any], str]] = {
        "workflow": (plain_workflow, "function 1"),
        "step": (plain_step, "function 1"),
        "overridden": (undecorated.overridden, "undecorated two 1"),
    }
    for each in (base, undecorated, decorated):
        cls = type(each)
        for name in STATIC:
            found[f"{each.kind} {name}"] = (getattr(cls, name), "static 1")
        for name in ON_INSTANCE:
            expected = f"{each.kind} {each.config_name} 1"
            found[f"{each.kind} {name}"] = (getattr(each, name), expected)
        for name in ON_CLASS:
            expected = f"{cls.__name__} {each.kind} 1"
            found[f"{each.kind} {name}"] = (getattr(cls, name), expected)
            found[f"{each.kind} {name} of the instance"] = (getattr(each, name), expected)
    return found


EXPECTED = {name: expected for name, (_, expected) in targets().items()}


def started() -> dict[str, Any]:
    return {name: DBOS.start_workflow(each, 1) for name, (each, _) in targets().items()}


def results(handles: dict[str, Any]) -> dict[str, str]:
    return {name: handle.get_result() for name, handle in handles.items()}


def test_called_and_started(dbos: type[DBOS]) -> None:
    assert results(started()) == EXPECTED
    called = {name: each(1) for name, (each, _) in targets().items() if "async" not in name}
    assert called == {name: EXPECTED[name] for name in called}


def test_an_instance_given_as_the_first_argument(dbos: type[DBOS]) -> None:
    assert Base.on_instance(decorated, 1) == "decorated one 1"
    assert dbos.start_workflow(Base.on_instance, undecorated, 1).get_result() == "undecorated two 1"
    with pytest.raises(TypeError, match="receiver is not given"):
        dbos.start_workflow(Base.on_instance)


def test_enqueued_and_forked(dbos: type[DBOS]) -> None:
    queue = dbos.register_queue("wrong-function")
    handles = {name: queue.enqueue(each, 1) for name, (each, _) in targets().items()}
    assert results(handles) == EXPECTED
    forks = {name: dbos.fork_workflow(each.workflow_id, 1) for name, each in handles.items()}
    assert results(forks) == EXPECTED


def test_recovered(launch: Callable[..., None], database_url: str) -> None:
    launch()
    handles = started()
    results(handles)
    DBOS.destroy(workflow_completion_timeout_sec=10)
    database = open_database(database_url)
    with database.writing() as session:
        assert session.cursor(DIED, {}).rowcount == len(handles)
    database.close()
    launch()
    assert results(handles) == EXPECTED


def test_triggered_by_a_schedule(dbos: type[DBOS]) -> None:
    for cls in (Base, Undecorated, Decorated):
        name = f"wrong-{cls.kind}"
        dbos.create_schedule(
            schedule_name=name, workflow_fn=cls.ticked, schedule="0 0 1 1 *", context=cls.kind
        )
        assert dbos.trigger_schedule(name).get_result() == f"{cls.__name__} {cls.kind}"


def test_rows_name_class_and_instance_as_the_other_library_does(
    dbos: type[DBOS], database_url: str
) -> None:
    for each in (base.step_on_instance, undecorated.on_instance, Base.on_class, Base.static):
        dbos.start_workflow(each, 1).get_result()
    database = open_database(database_url)
    with database.reading() as session:
        found = [tuple(row) for row in session.all(CLASSES)]
    database.close()
    assert found == [
        ("<temp>.Base.step_on_instance", "WrongBase", "one"),
        ("Base.on_instance", "WrongBase", "two"),
        ("Base.on_class", "WrongBase", None),
        ("Base.static", None, None),
    ]


# -- two of one name ---------------------------------------------------------------------------


def module(name: str, source: str) -> types.ModuleType:
    made = types.ModuleType(name)
    exec(compile(source, f"/wrong/{name}.py", "exec"), made.__dict__)
    return made


STEP = """
from dboshub import DBOS
@DBOS.step()
def wrong_notify(x):
    return f"{__name__}: {x}"
"""
WORKFLOW = STEP.replace("step", "workflow").replace("wrong_notify", "wrong_bill")


def test_steps_of_one_name_are_told_apart(dbos: type[DBOS]) -> None:
    queue = dbos.register_queue("wrong-function")
    modules = [module(name, STEP) for name in ("wrong_orders", "wrong_invoices")]
    source = STEP.replace("__name__", "'other ' + __name__")
    modules.append(module("wrong_returns", source))
    for each in modules[1:]:
        expected = each.wrong_notify(1)
        assert dbos.start_workflow(each.wrong_notify, 1).get_result() == expected
        assert queue.enqueue(each.wrong_notify, 1).get_result() == expected


def test_a_row_that_names_either_of_two_steps_waits(
    dbos: type[DBOS], caplog: pytest.LogCaptureFixture
) -> None:
    for number in (1, 2):
        module(
            f"wrong_m{number}",
            STEP.replace("wrong_notify", "wrong_either").replace("x}", f"{number}}}"),
        )
    with pytest.raises(DBOSWorkflowFunctionNotFoundError) as raised:
        registry.find("w", "<temp>.wrong_either", None, None)
    assert "wrong_m1.wrong_either (/wrong/wrong_m1.py:3)" in str(raised.value)
    assert "wrong_m2.wrong_either (/wrong/wrong_m2.py:3)" in str(raised.value)


def test_workflows_of_one_name_in_two_modules_are_refused_with_both_places() -> None:
    module("wrong_first", WORKFLOW)
    with pytest.raises(DBOSException) as raised:
        module("wrong_second", WORKFLOW.replace("x}", "x}!"))
    assert "wrong_first.wrong_bill (/wrong/wrong_first.py:3)" in str(raised.value)
    assert "wrong_second.wrong_bill (/wrong/wrong_second.py:3)" in str(raised.value)


def test_a_factory_of_workflows_names_each_or_is_refused(dbos: type[DBOS]) -> None:
    def made(suffix: object, name: str | None = None) -> Callable[[int], str]:
        @DBOS.workflow(name=name)
        def from_factory(x: int) -> str:
            return f"{suffix} {x}"

        return from_factory

    first = made("a")
    made("a")  # the same again
    with pytest.raises(DBOSException, match="two workflows are called") as raised:
        made("b")
    assert str(raised.value).count(__file__) == 2
    assert first(1) == "a 1"
    assert dbos.start_workflow(made("c", "wrong_c"), 1).get_result() == "c 1"


def test_what_nobody_can_call_any_more_is_replaced() -> None:
    def made(suffix: object) -> Callable[[int], str]:
        @DBOS.workflow()
        def replaced(x: int) -> str:
            return f"{suffix} {x}" if x else replaced(0)

        return replaced

    for suffix in ([1], [2], [3]):
        made(suffix)


def test_what_was_edited_replaces_the_old_which_then_is_refused(
    dbos: type[DBOS], caplog: pytest.LogCaptureFixture
) -> None:
    old = module("wrong_cell", WORKFLOW.replace("wrong_bill", "wrong_cell"))
    new = module("wrong_cell", WORKFLOW.replace("wrong_bill", "wrong_cell").replace("x}", "x}!"))
    assert "workflow 'wrong_cell' was registered again and replaced" in caplog.text
    queue = dbos.register_queue("wrong-function")
    for way in (dbos.start_workflow, queue.enqueue, lambda function, x: function(x)):
        with pytest.raises(DBOSException, match="was registered again"):
            way(old.wrong_cell, 1)
    assert new.wrong_cell(1) == "wrong_cell: 1!"


def test_a_module_that_is_imported_by_two_names_is_one(dbos: type[DBOS]) -> None:
    source = WORKFLOW.replace("wrong_bill", "wrong_twice")
    code = compile(source, "/wrong/twice.py", "exec")
    first, second = types.ModuleType("__wrong_main__"), types.ModuleType("wrong_twice")
    for each in (first, second):
        exec(code, each.__dict__)
    assert first.wrong_twice(1) == "__wrong_main__: 1"
    assert dbos.start_workflow(second.wrong_twice, 1).get_result() == "wrong_twice: 1"


def test_two_classes_of_one_name_are_refused_with_both_places() -> None:
    @DBOS.dbos_class("WrongTwice")
    class First:
        pass

    with pytest.raises(DBOSException) as raised:

        @DBOS.dbos_class("WrongTwice")
        class Second:
            pass

    said = str(raised.value)
    assert "Duplicate type registration for class 'WrongTwice'" in said
    assert "First" in said
    assert "Second" in said
    assert said.count(__file__) == 2


# -- receivers that could not be found again ---------------------------------------------------


class Bare(DBOSConfiguredInstance):
    @DBOS.workflow()
    def on_instance(self, x: int) -> int:
        return x

    @classmethod
    @DBOS.workflow()
    def on_class(cls, x: int) -> int:
        return x

    @DBOS.step()
    def step_on_instance(self, x: int) -> int:
        return x

    @staticmethod
    @DBOS.workflow()
    def static(x: int) -> int:
        return x


BARE = Bare("bare")


@DBOS.dbos_class("WrongNameless")
class Nameless:
    @DBOS.workflow()
    def run(self, x: int) -> int:
        return x


def refusals(dbos: type[DBOS], function: Callable[..., Any], *, called: bool = True) -> set[str]:
    """What calling, starting and enqueueing say."""
    queue = dbos.register_queue("wrong-function")
    said = set()
    ways: list[Callable[[], Any]] = [
        lambda: dbos.start_workflow(function, 1),
        lambda: queue.enqueue(function, 1),
    ]
    if called:
        ways.append(lambda: function(1))
    for way in ways:
        with pytest.raises(DBOSException) as raised:
            way()
        said.add(str(raised.value))
    assert dbos.list_workflows() == []
    return said


def test_methods_of_undecorated_classes_are_refused_at_once(dbos: type[DBOS]) -> None:
    bare = BARE
    for function, kind in ((bare.on_instance, "a class instance"), (Bare.on_class, "a class")):
        [said] = refusals(dbos, function)
        assert f"appears to be {kind}, but is not properly registered: decorate" in said
        assert f"{__name__}.Bare ({__file__}:" in said
    assert bare.step_on_instance(1) == 1
    [said] = refusals(dbos, bare.step_on_instance, called=False)
    assert "not properly registered" in said
    assert Bare.static(1) == 1


def test_an_instance_without_a_name_is_refused(dbos: type[DBOS]) -> None:
    [said] = refusals(dbos, Nameless().run)
    assert "does not have `config_name` set" in said


def test_a_copy_of_an_instance_is_refused(dbos: type[DBOS]) -> None:
    [said] = refusals(dbos, copy.copy(base).on_instance)
    assert "the instance 'one' of class WrongBase: this is a copy" in said


@DBOS.default_required_roles(["user"])
class WithRoles(DBOSConfiguredInstance):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.lock = threading.Lock()  # cannot be pickled

    @DBOS.workflow()
    def run(self) -> str:
        return self.config_name


WITH_ROLES = WithRoles("c")


def test_default_roles_register_their_class(dbos: type[DBOS]) -> None:
    with DBOSContextSetAuth("ada", ["user"]):
        assert WITH_ROLES.run() == "c"
        assert dbos.start_workflow(WITH_ROLES.run).get_result() == "c"
