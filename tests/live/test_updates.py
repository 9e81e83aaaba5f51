"""What plain SQL of somebody else changes is on the page within two seconds."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from dboshub.models import Preference
from dboshub.workflows.live import waiting_reasons
from dboshub.workflows.live.rows import row_digest
from dboshub.workflows.live.sections import UNFOLDED, section_digest
from dboshub.workflows.live.subscriptions import Subscription
from dboshub.workflows.rendering.reason import why_they_wait
from dboshub.workflows.selectors.rows import rows_by_id

WITHIN = 2.0
SECRET = "correct-horse-battery"


def run(work: Any, *args: Any, **columns: Any) -> Any:
    """A blocking call, off the event loop."""
    return sync_to_async(work, thread_sensitive=False)(*args, **columns)


async def settled(tab: Any, subscription: Subscription) -> dict[str, Any]:
    """The first frame of a topic, and time for the tick that made it to end."""
    first: dict[str, Any] = await tab.frame(subscription)
    return first


async def test_a_changed_row_is_pushed_as_cells(viewer: Any, writer: Any, open_tab: Any) -> None:
    await run(writer.add, "order/1 🐒", name="order")
    tab = await open_tab(viewer)
    subscription = await tab.follow("row", "order/1 🐒")
    assert "Running" in (await settled(tab, subscription))["cells"]["status"]
    await run(writer.change, "order/1 🐒", status="SUCCESS", completed_at=int(time.time() * 1000))
    frame = await tab.frame(subscription, timeout=WITHIN)
    assert "Running" not in frame["cells"]["status"]
    assert frame["matches"] is True


@pytest.mark.parametrize(
    "columns",
    [
        {"priority": 7},
        {"name": "renamed"},
        {"executor_id": "another"},
        {"recovery_attempts": 9},
        {"delay_until_epoch_ms": 5},
        {"status": "ENQUEUED", "queue_name": "mail"},
    ],
)
async def test_changes_that_move_no_time_are_seen_too(
    viewer: Any, writer: Any, open_tab: Any, columns: dict[str, Any]
) -> None:
    await run(writer.add, "a", status="DELAYED")
    tab = await open_tab(viewer)
    subscription = await tab.follow("row", "a")
    before = await settled(tab, subscription)
    await run(writer.change, "a", **columns)
    assert (await tab.frame(subscription, timeout=WITHIN))["digest"] != before["digest"]


async def test_a_finished_row_that_is_resumed_or_deleted_is_seen_by_the_slow_look(
    viewer: Any, writer: Any, open_tab: Any, broadcaster: Any
) -> None:
    watcher = broadcaster.on_new_viewer.__self__
    watcher.timings = type(watcher.timings)(ended_interval=0.2)
    await run(writer.add, "a", status="SUCCESS")
    tab = await open_tab(viewer)
    subscription = await tab.follow("row", "a")
    await settled(tab, subscription)
    await run(writer.change, "a", status="ENQUEUED")
    assert "Queued" in (await tab.frame(subscription))["cells"]["status"]
    await run(writer.delete, "a")
    assert (await tab.frame(subscription))["gone"] is True


async def test_a_row_that_left_the_filter_says_so(viewer: Any, writer: Any, open_tab: Any) -> None:
    await run(writer.add, "a")
    tab = await open_tab(viewer)
    subscription = await tab.follow("row", "a", filter="status=PENDING")
    assert (await settled(tab, subscription))["matches"] is True
    await run(writer.change, "a", status="ERROR")
    assert (await tab.frame(subscription, timeout=WITHIN))["matches"] is False


async def test_a_page_that_shows_the_truth_is_sent_nothing(
    viewer: Any, writer: Any, open_tab: Any
) -> None:
    await run(writer.add, "a", status="ENQUEUED", queue_name="mail")
    tab = await open_tab(viewer)

    def shown() -> list[str]:
        with writer.database.reading() as session:
            row = rows_by_id(session, ["a"])["a"]
            reasons = why_they_wait(session, [row])
            sections = (section_digest(session, kind, "a") for kind in ("events", "workflow"))
            return [row_digest(row, reasons["a"]), *sections]

    for kind, name in zip(("row", "events", "workflow"), await run(shown), strict=True):
        await tab.follow(kind, "a", digest=name)
    while "beat" not in (message := await tab.message()):
        assert "frames" not in message
    assert "frames" not in message


async def test_a_pause_of_its_queue_is_on_the_pages_of_what_waits(
    viewer: Any, writer: Any, open_tab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_reasons, "INTERVAL_S", 0.05)
    await run(writer.insert, "queues", name="mail")
    await run(writer.add, "a", status="ENQUEUED", queue_name="mail")
    tab = await open_tab(viewer)
    row, section = await tab.follow("row", "a"), await tab.follow("workflow", "a")
    assert "status-note" in (await settled(tab, row))["cells"]["status"]
    await settled(tab, section)
    await run(writer.insert, "dboshub_queue_pause", queue_name="mail", paused_at=1)
    frame = await tab.frame(row, timeout=WITHIN)
    assert '<span class="status-note">paused</span>' in frame["cells"]["status"]
    assert "the queue mail is paused" in (await tab.frame(section, timeout=WITHIN))["html"]


async def test_after_a_reconnect_only_what_differs_is_sent(
    viewer: Any, writer: Any, open_tab: Any
) -> None:
    for name in ("a", "b"):
        await run(writer.add, name)
    tab = await open_tab(viewer)
    subscriptions = {name: await tab.follow("row", name) for name in ("a", "b")}
    shown = {name: (await tab.frame(subscriptions[name]))["digest"] for name in ("a", "b")}
    await tab.leave()
    await run(writer.change, "b", status="ERROR")
    tab = await open_tab(viewer)
    for name, subscription in subscriptions.items():
        await tab.subscribe(subscription, shown[name])
    message = await tab.message()
    assert [frame["topic"] for frame in message["frames"]] == [subscriptions["b"].id]


async def test_a_list_counts_what_its_page_could_not_show(
    viewer: Any, writer: Any, open_tab: Any
) -> None:
    since = int(time.time() * 1000)
    await run(writer.add, "shown", name="order", created_at=since)
    tab = await open_tab(viewer)
    mine = await tab.follow("list", filter="name=order", since=since)
    other = await tab.follow("list", filter="name=invoice", since=since)
    first = await settled(tab, mine)
    assert (first["new"], first["doubtful"]) == (1, ["shown"])
    await run(writer.add, "later", name="order", created_at=since + 60_000)
    await run(writer.add, "too old", name="order", created_at=since - 60_000)
    frame = await tab.frame(mine, timeout=WITHIN)
    # What lies in the future may be on the page: its reader counts it as seen if it is.
    seen = ["later", "shown"]
    assert (frame["new"], frame["doubtful"], frame["capped"]) == (2, seen, False)
    await run(writer.add, "bill", name="invoice")
    assert (await tab.frame(other, timeout=WITHIN))["new"] == 1


@pytest.mark.parametrize(
    ("listed", "column", "status"),
    [
        ("status=failed", "completed_at", "ERROR"),
        ("by=completed", "completed_at", "SUCCESS"),
        ("by=started&since=1h", "started_at_epoch_ms", "PENDING"),
    ],
)
async def test_a_list_hears_of_old_workflows_that_come_into_it(
    viewer: Any, writer: Any, open_tab: Any, listed: str, column: str, status: str
) -> None:
    now = int(time.time() * 1000)
    await run(writer.add, "old", created_at=now - 3_600_000)
    tab = await open_tab(viewer)
    subscription = await tab.follow("list", filter=listed, since=now)
    await run(writer.change, "old", status=status, **{column: now + 1})
    frame = await tab.frame(subscription)
    assert (frame["new"], frame["changed"]) == (0, 1)


async def test_steps_events_and_messages_are_rendered_again_when_they_move(
    viewer: Any, writer: Any, open_tab: Any
) -> None:
    await run(writer.add, "a")
    tab = await open_tab(viewer)
    subscriptions = {}
    for kind in ("workflow", "steps", "events", "messages", "stream"):
        subscriptions[kind] = await tab.follow(kind, "a")
        assert "html" in await tab.frame(subscriptions[kind])
    step = {"workflow_uuid": "a", "function_id": 1, "function_name": "charge_card"}
    await run(writer.insert, "operation_outputs", **step)
    assert "charge_card" in (await tab.frame(subscriptions["steps"], timeout=WITHIN))["html"]
    event = {"workflow_uuid": "a", "key": "progress", "value": '"half"'}
    await run(writer.insert, "workflow_events", **event, serialization="portable_json")
    assert "half" in (await tab.frame(subscriptions["events"], timeout=WITHIN))["html"]
    await run(writer.run, "UPDATE {workflow_events} SET value = '\"done\"'")
    assert "done" in (await tab.frame(subscriptions["events"], timeout=WITHIN))["html"]
    message = {"destination_uuid": "a", "topic": "paid", "message": '"yes"', "message_uuid": "m"}
    await run(writer.insert, "notifications", **message, serialization="portable_json")
    assert "paid" in (await tab.frame(subscriptions["messages"], timeout=WITHIN))["html"]


async def test_a_page_that_unfolded_more_than_is_rendered_for_all_is_told_to_look_again(
    viewer: Any, writer: Any, open_tab: Any
) -> None:
    await run(writer.add, "a")
    tab = await open_tab(viewer)
    subscription = await tab.follow("steps", "a", filter=UNFOLDED)
    await settled(tab, subscription)
    step = {"workflow_uuid": "a", "function_id": 1, "function_name": "charge_card"}
    await run(writer.insert, "operation_outputs", **step)
    frame = await tab.frame(subscription, timeout=WITHIN)
    assert frame["stale"] is True
    assert "html" not in frame


async def add_values(writer: Any, first: int, *values: str) -> None:
    for offset, value in enumerate(values, first):
        row = {"workflow_uuid": "a", "key": "log", "function_id": 1, "offset": offset}
        text = {"value": json.dumps(value), "serialization": "portable_json"}
        await run(writer.insert, "streams", **row, **text)


async def test_a_stream_is_appended_to_from_where_the_page_is(
    viewer: Any, writer: Any, open_tab: Any
) -> None:
    await run(writer.add, "a")
    await add_values(writer, 0, "one", "two")
    tab = await open_tab(viewer)
    subscription = await tab.follow("stream", "a", filter="log", digest="1")
    frame = await tab.frame(subscription)
    assert [value["offset"] for value in frame["values"]] == [1]
    assert (frame["next"], frame["gap"]) == (2, [1, 1])
    await add_values(writer, 2, "x" * 5_000, "three")
    seen: list[dict[str, Any]] = []
    while len(seen) < 2:
        seen += (await tab.frame(subscription, timeout=WITHIN))["values"]
    assert "three" in seen[1]["html"]
    assert "xxx" not in seen[0]["html"]


async def test_a_page_far_behind_is_told_of_the_gap(
    viewer: Any, writer: Any, open_tab: Any
) -> None:
    await run(writer.add, "a")
    await add_values(writer, 600, "far")
    tab = await open_tab(viewer)
    frame = await tab.frame(await tab.follow("stream", "a", filter="log", digest="0"))
    assert frame["gap"] == [0, 600]
    frame = await tab.frame(await tab.follow("stream", "a", filter="log", digest="9000"))
    assert frame["reset"] is True


async def test_without_the_permission_no_payload_is_pushed(
    viewer: Any, make_user: Any, writer: Any, open_tab: Any
) -> None:
    await run(writer.add, "a")
    await add_values(writer, 0, SECRET)
    event = {"workflow_uuid": "a", "key": "k", "value": json.dumps(SECRET)}
    await run(writer.insert, "workflow_events", **event, serialization="portable_json")
    await run(writer.change, "a", output=json.dumps(SECRET), inputs=json.dumps(SECRET))
    allowed = await open_tab(viewer)
    blind = await open_tab(await sync_to_async(make_user)("bob", "dboshub_workflows.view_workflow"))
    for kind, stream in (("events", ""), ("stream", ""), ("stream", "log"), ("workflow", "")):
        seen = await allowed.frame(await allowed.follow(kind, "a", filter=stream))
        assert kind == "workflow" or SECRET in json.dumps(seen)
        withheld = await blind.frame(await blind.follow(kind, "a", filter=stream))
        assert SECRET not in json.dumps(withheld)


async def test_every_viewer_is_sent_the_same_bytes_and_none_of_their_own(
    viewer: Any, make_user: Any, writer: Any, open_tab: Any
) -> None:
    await run(writer.add, "a")
    tabs = [await open_tab(viewer)]
    rights = (
        "dboshub_workflows.view_workflow",
        "dboshub_workflows.view_payload",
        "dboshub_workflows.cancel_workflow",
    )
    operator = await sync_to_async(make_user)("operator", *rights)
    await Preference.objects.acreate(user=operator, time_zone="Asia/Tokyo")
    tabs.append(await open_tab(operator))
    for kind in ("row", "workflow", "steps"):
        subscriptions = [await tab.follow(kind, "a") for tab in tabs]
        for tab, subscription in zip(tabs, subscriptions, strict=True):
            await settled(tab, subscription)
        await run(writer.change, "a", name=f"renamed for {kind}")
        pushed = [
            await tab.frame(subscription)
            for tab, subscription in zip(tabs, subscriptions, strict=True)
        ]
        assert pushed[0] == pushed[1]
        assert not {"csrf", "ada", "operator"} & {*json.dumps(pushed[0]).lower().split()}
        assert "Tokyo" not in json.dumps(pushed[0])


async def test_a_beat_brings_the_time_of_the_database(viewer: Any, open_tab: Any) -> None:
    tab = await open_tab(viewer)
    await tab.follow("row", "a")
    message = await tab.message()
    while "beat" not in message:
        message = await tab.message()
    assert abs(message["beat"] - time.time() * 1000) < 5_000
