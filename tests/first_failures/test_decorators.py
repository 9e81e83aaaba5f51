"""What cannot be a workflow or a step is refused where it is decorated."""

from __future__ import annotations

import functools
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from dboshub import DBOS, DBOSConfiguredInstance

BARE = {
    "workflow": DBOS.workflow,
    "step": DBOS.step,
    "transaction": DBOS.transaction,
    "dbos_class": DBOS.dbos_class,
    "scheduled": DBOS.scheduled,
    "kafka_consumer": DBOS.kafka_consumer,
    "required_roles": DBOS.required_roles,
    "default_required_roles": DBOS.default_required_roles,
}
KINDS: dict[str, Callable[..., Any]] = {
    "workflow": DBOS.workflow,
    "step": DBOS.step,
    "transaction": DBOS.transaction,
}


def first_plain() -> int:
    return 1


async def first_coroutine() -> int:
    return 1


def first_generator() -> Iterator[int]:
    yield 1


async def first_async_generator() -> AsyncIterator[int]:
    yield 1


class FirstClass:
    pass


class FirstCallable:
    def __call__(self) -> int:
        return 1


@pytest.mark.parametrize("name", BARE)
@pytest.mark.parametrize("given", [first_plain, first_coroutine, FirstClass])
def test_a_decorator_without_its_parentheses_says_how_it_is_written(name: str, given: Any) -> None:
    decorator: Any = BARE[name]
    with pytest.raises(TypeError) as raised:
        decorator(given)
    said = str(raised.value)
    assert said.startswith(f"{__name__}.{given.__qualname__}: write @DBOS.{name}(")
    assert said.endswith("with the parentheses")


@pytest.mark.parametrize("name", ["workflow", "step"])
def test_a_name_goes_by_keyword(name: str) -> None:
    decorator: Any = BARE[name]
    with pytest.raises(TypeError, match=f"@DBOS.{name} takes its options by name, such as name="):
        decorator("order")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("generator", [first_generator, first_async_generator])
def test_a_generator_is_refused(kind: str, generator: Any) -> None:
    with pytest.raises(TypeError) as raised:
        KINDS[kind]()(generator)
    assert str(raised.value).startswith(
        f"{__name__}.{generator.__name__} is a generator, which cannot be a {kind}"
    )
    assert "DBOS.write_stream()" in str(raised.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (FirstClass, "is a class, which cannot be a"),
        (5, "5 cannot be a"),
        (functools.partial(first_plain), "has no name to record the"),
        (FirstCallable(), "has no name to record the"),
    ],
)
def test_what_is_no_function_is_refused(kind: str, given: Any, sentence: str) -> None:
    with pytest.raises(TypeError, match=sentence):
        KINDS[kind]()(given)


def test_what_has_no_name_may_be_given_one(dbos: type[DBOS]) -> None:
    five = DBOS.workflow(name="first.five")(functools.partial(int, "5"))
    assert five() == 5
    [done] = DBOS.list_workflows(name="first.five")
    assert done.output == 5


def test_a_lambda_without_a_name_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    DBOS.workflow(name="first.named_lambda")(lambda: 1)
    assert caplog.text == ""
    DBOS.workflow()(lambda: 1)
    assert "a lambda is registered as the workflow" in caplog.text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_registered_after_launch_is_warned_of(
    dbos: type[DBOS], caplog: pytest.LogCaptureFixture
) -> None:
    @DBOS.step()
    def late_step() -> int:
        return 2

    assert caplog.text == ""

    @DBOS.workflow(name="first.late")
    def late() -> int:
        return late_step()

    assert "workflow 'first.late' was registered after DBOS.launch()" in caplog.text

    @DBOS.dbos_class("FirstLate")
    class Late(DBOSConfiguredInstance):
        pass

    Late("one")
    assert "instance 'one' of" in caplog.text
    assert late() == 2


def test_before_launch_nothing_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "dboshub"):

        @DBOS.workflow(name="first.early")
        def early() -> int:
            return 1

    assert caplog.text == ""
