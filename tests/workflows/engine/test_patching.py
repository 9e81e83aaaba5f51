"""Changing code under running workflows: patches, versions, and what happens without either."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.workflows.engine.errors import (
    DBOSException,
    DBOSPatchNondeterminismError,
    DBOSUnexpectedStepError,
)
from dboshub.workflows.engine.runtime import history

Launch = Callable[..., None]


class Deployed:
    """Which version of the code below is deployed."""

    code = "old"


@DBOS.step()
def patch_first() -> str:
    return "first"


@DBOS.step()
def patch_old() -> str:
    return "old"


@DBOS.step()
def patch_new() -> str:
    return "new"


@DBOS.step()
def patch_last() -> str:
    return "last"


@DBOS.workflow()
def patched() -> list[str]:
    done = [patch_first()]
    if Deployed.code == "old":
        done.append(patch_old())
    elif Deployed.code == "unmarked":
        done.append(patch_new())
    elif Deployed.code == "patched":
        done.append(patch_new() if DBOS.patch("better") else patch_old())
    else:
        DBOS.deprecate_patch("better")
        done.append(patch_new())
    return [*done, patch_last()]


@DBOS.workflow()
async def patched_async() -> list[bool]:
    return [await DBOS.patch_async("a"), await DBOS.deprecate_patch_async("b")]


@DBOS.workflow()
async def patch_races() -> list[Any]:
    return await asyncio.gather(
        DBOS.patch_async("a"), DBOS.sleep_async(0.001), return_exceptions=True
    )


def names(workflow_id: str) -> list[str]:
    return [step["function_name"] for step in DBOS.list_workflow_steps(workflow_id)]


def ran(workflow_id: str, code: str) -> list[str]:
    Deployed.code = code
    with SetWorkflowID(workflow_id):
        return patched()


def replayed(workflow_id: str, code: str) -> list[str]:
    Deployed.code = code
    result: list[str] = DBOS.fork_workflow(workflow_id, 100).get_result()
    return result


def test_a_patch_leaves_a_marker_in_new_runs_only(dbos: type[DBOS]) -> None:
    assert ran("before", "old") == ["first", "old", "last"]
    assert ran("after", "patched") == ["first", "new", "last"]
    assert names("after") == ["patch_first", "DBOS.patch-better", "patch_new", "patch_last"]
    marker = DBOS.list_workflow_steps("after")[1]
    assert (marker["output"], marker["error"]) == (None, None)


def test_old_runs_replay_the_old_code_and_new_ones_the_new(dbos: type[DBOS]) -> None:
    ran("before", "old")
    ran("after", "patched")
    assert replayed("before", "patched") == ["first", "old", "last"]
    assert replayed("after", "patched") == ["first", "new", "last"]


def test_a_deprecated_patch_passes_over_markers_and_leaves_none(dbos: type[DBOS]) -> None:
    ran("marked", "patched")
    assert replayed("marked", "deprecated") == ["first", "new", "last"]
    assert ran("unmarked", "deprecated") == ["first", "new", "last"]
    assert names("unmarked") == ["patch_first", "patch_new", "patch_last"]
    assert replayed("unmarked", "unmarked") == ["first", "new", "last"]


def test_changed_code_without_a_patch_is_told_by_step_and_names(dbos: type[DBOS]) -> None:
    ran("w", "old")
    with pytest.raises(DBOSUnexpectedStepError, match="step 2, function patch_old") as raised:
        replayed("w", "unmarked")
    assert "was recorded when patch_new was expected" in str(raised.value)
    assert raised.value.dbos_error_code == 11


async def test_coroutines_patch_too(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"):
        assert await patched_async() == [True, True]
    fork = await DBOS.fork_workflow_async("w", 100)
    assert await fork.get_result() == [True, True]


async def test_a_patch_beside_other_calls_is_refused_and_so_on_replay(
    dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "HISTORY_CHUNK", 1)
    with SetWorkflowID("w"):
        refused, _ = await patch_races()
    fork = await DBOS.fork_workflow_async("w", 100)
    again, _ = await fork.get_result()
    for each in (refused, again):
        assert isinstance(each, DBOSPatchNondeterminismError)
        assert "call it from sequential workflow code" in str(each)


def test_the_latest_version_is_the_one_last_launched_or_set(launch: Launch) -> None:
    for version in ("one", "two"):
        launch(application_version=version)
        assert DBOS.application_version == version
        latest = DBOS.get_latest_application_version()
        assert latest["version_name"] == version
        if version == "one":
            DBOS.destroy()
    assert [each["version_name"] for each in DBOS.list_application_versions()] == ["two", "one"]
    DBOS.set_latest_application_version("one")
    assert [each["version_name"] for each in DBOS.list_application_versions()] == ["one", "two"]
    DBOS.set_latest_application_version("unheard of")
    assert DBOS.get_latest_application_version()["application_name"] == "test-app"


async def test_versions_are_awaited_too_and_guarded_by_their_owner(launch: Launch) -> None:
    launch(application_version="mine")
    with pytest.raises(DBOSException, match="registered by application 'test-app'"):
        await DBOS.set_latest_application_version_async("mine", application_name="other")
    await DBOS.set_latest_application_version_async("mine")
    [only] = await DBOS.list_application_versions_async()
    assert only == await DBOS.get_latest_application_version_async()
    assert set(only) == {
        "version_id",
        "version_name",
        "version_timestamp",
        "created_at",
        "application_name",
    }


@DBOS.step()
def patch_in_a_step() -> bool:
    return DBOS.patch("x")


@DBOS.workflow()
def patch_by_a_step() -> bool:
    return patch_in_a_step()


def test_outside_a_workflow_there_is_nothing_to_patch(dbos: type[DBOS]) -> None:
    """In the words of the library, in a step as well."""

    async def patch_async() -> bool:
        return await DBOS.patch_async("x")

    for call, name in (
        (lambda: DBOS.patch("x"), "DBOS.patch"),
        (lambda: DBOS.deprecate_patch("x"), "DBOS.deprecate_patch"),
        (lambda: asyncio.run(patch_async()), "DBOS.patch_async"),
        (patch_by_a_step, "DBOS.patch"),
    ):
        with pytest.raises(DBOSException, match=rf"{name} must be called from a workflow$"):
            call()
