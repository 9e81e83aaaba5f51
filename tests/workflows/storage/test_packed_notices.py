"""Notices of our own channels travel together; each is received as it was sent."""

from __future__ import annotations

import pytest

from dboshub.workflows.engine.waiting.notices import MESSAGES, QUEUE, STATUS
from dboshub.workflows.storage.waiting.notify import MAX_PAYLOAD_BYTES, packed, unpacked

Notices = list[tuple[str, str]]


def received(sent: Notices) -> Notices:
    return [(channel, each) for channel, payload in sent for each in unpacked(channel, payload)]


@pytest.mark.parametrize(
    "notices",
    [
        [],
        [(STATUS, "")],
        [(STATUS, "one")],
        [(STATUS, "[one]")],
        [(STATUS, '["a", "b"]')],
        [(STATUS, "a\nb"), (STATUS, 'c"d'), (STATUS, "é, ☃")],
        [(MESSAGES, '["a", "b"]'), (MESSAGES, "x::y")],
        [(STATUS, f"{each:036}") for each in range(1_000)],
    ],
)
def test_each_notice_is_received_once_and_unchanged(notices: Notices) -> None:
    sent = [*packed(notices)]
    assert received(sent) == notices
    assert all(len(payload.encode()) <= MAX_PAYLOAD_BYTES for _, payload in sent)


def test_many_ends_take_few_notices_and_one_channel_each() -> None:
    ends = [(STATUS, f"{each:036}") for each in range(1_000)]
    sent = [*packed([*ends, (QUEUE, "a"), (MESSAGES, "x::y"), (MESSAGES, "y::z")])]
    counts = {channel: [each for each, _ in sent].count(channel) for channel, _ in sent}
    assert counts == {MESSAGES: 2, STATUS: 5, QUEUE: 1}


def test_a_list_of_another_sender_that_cannot_be_read_is_one_payload() -> None:
    for payload in ("[" * 5_000, "[1]", "[", "[]"):
        assert unpacked(STATUS, payload) == [payload]
