"""Floods of somebody who may look at everything."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import quote, urlencode

from bench.attacked.anonymous import FORM, LAST
from bench.attacked.wire import Target, answered, frame, head, upgrade
from bench.filling import LONG_RUN, MOTHER

PAGES = (
    "/",
    "/?span=7d",
    "/workflows/?name=absent",
    "/workflows/?status=ERROR&name=absent",
    "/workflows/?attr.tier=absent",
    "/workflows/?q=task",
    f"/workflows/run/{LONG_RUN}",
    f"/workflows/run/{MOTHER}",
    f"/workflows/run/{LONG_RUN}/steps?find=absent",
    "/workflows/errors/",
    "/queues/",
)
DEEP = "&".join(f"name=!*{'a*' * 20}{number}" for number in range(100))
FORGED = {"sub": {f"topic-{number}": ["x" * 100, "y" * 20] for number in range(60)}}
EXPORT = re.compile(rb'href="/exports/([\w-]{8,})/"')
ACKS = frame({"ack": 0}) * 1_000


async def pages(target: Target, number: int) -> None:
    """The dearest pages and filters, as many at once as connections allow."""
    async with target.connection(number) as (reader, writer):
        path = PAGES[number % len(PAGES)]
        await answered(reader, writer, head("GET", path, _cookies(target), LAST))


async def filters(target: Target, number: int) -> None:
    """Patterns, long lists of criteria, attributes that are nested deeply."""
    deep = "attr." + ".".join("a" * 2 for _ in range(200))
    queries = (DEEP, f"{deep}=1", f"q={quote('(a+)+$' * 200)}", f"id={'%25_' * 1_000}")
    async with target.connection(number) as (reader, writer):
        path = f"/workflows/?{queries[number % len(queries)]}"
        await answered(reader, writer, head("GET", path, _cookies(target), LAST))


async def exports(target: Target, number: int) -> None:
    fields = {"of": "workflows", "format": "csv", "csrfmiddlewaretoken": target.csrf}
    body = urlencode(fields).encode()
    async with target.connection(number) as (reader, writer):
        said = [FORM, f"Content-Length: {len(body)}", _cookies(target), LAST]
        await answered(reader, writer, head("POST", "/exports/new/", *said) + body)


async def downloads(target: Target, number: int) -> None:
    """Files of the exports that are there, at once and unread."""
    async with target.connection(number) as (reader, writer):
        listed = await answered(reader, writer, head("GET", "/exports/", _cookies(target), LAST))
    for key in {*EXPORT.findall(listed)}:
        async with target.connection(number, reads_little=True) as (reader, writer):
            path = f"/exports/{key.decode()}/file"
            writer.write(head("GET", path, _cookies(target)))
            await asyncio.sleep(5)


async def impatient_pages(target: Target, number: int) -> None:
    """Asks, and leaves before the answer: its thread works on."""
    async with target.connection(number) as (_, writer):
        path = PAGES[number % len(PAGES)]
        writer.write(head("GET", path, _cookies(target)))
        await writer.drain()
        await asyncio.sleep(0.05)


async def unread_pages(target: Target, number: int) -> None:
    """Many requests on one connection, whose answers nobody reads."""
    async with target.connection(number, reads_little=True) as (_, writer):
        asked = head("GET", f"/workflows/run/{LONG_RUN}", _cookies(target))
        writer.write(asked * 50)
        await asyncio.sleep(10)


async def forged_subscriptions(target: Target, number: int) -> None:
    async with target.connection(number) as (reader, writer):
        await _open(target, reader, writer)
        await _send(writer, frame(FORGED))


async def acks(target: Target, number: int) -> None:
    async with target.connection(number) as (reader, writer):
        await _open(target, reader, writer)
        await _send(writer, ACKS)


async def unread_sockets(target: Target, number: int) -> None:
    """Follows what changes, and reads nothing of it."""
    async with target.connection(number, reads_little=True) as (reader, writer):
        await _open(target, reader, writer)
        for sub in target.regions:
            writer.write(frame({"sub": sub}))
        await asyncio.sleep(10)


async def _open(target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(upgrade(target.port, _cookies(target)))
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)


async def _send(writer: asyncio.StreamWriter, message: bytes) -> None:
    for _ in range(1_000):
        writer.write(message)
        await asyncio.wait_for(writer.drain(), 10)


def _cookies(target: Target) -> str:
    return f"Cookie: {target.cookies}"


# How many of each are under way at once.
FLOODS = {
    pages: 80,
    filters: 40,
    exports: 20,
    downloads: 40,
    impatient_pages: 40,
    unread_pages: 60,
    forged_subscriptions: 40,
    acks: 40,
    unread_sockets: 200,
}
