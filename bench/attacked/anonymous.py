"""Floods of those who have no account."""

from __future__ import annotations

import asyncio
import random
import secrets
from urllib.parse import urlencode

from bench.attacked.wire import Target, answered, head, upgrade

FORM = "Content-Type: application/x-www-form-urlencoded"
LAST = "Connection: close"
PIECE = b"x" * 32_768


def forged_session() -> str:
    return f"Cookie: dboshub_session={secrets.token_hex(16)}"


async def large_lengths(target: Target, number: int) -> None:
    async with target.connection(number) as (_, writer):
        writer.write(head("POST", "/login/", FORM, f"Content-Length: {1 << 30}"))
        await _pour(writer, PIECE)


async def endless_chunks(target: Target, number: int) -> None:
    async with target.connection(number) as (_, writer):
        more = [forged_session()] if number % 2 else []
        writer.write(head("POST", "/login/", FORM, "Transfer-Encoding: chunked", *more))
        await _pour(writer, b"8000\r\n" + PIECE + b"\r\n")


async def multipart_bombs(target: Target, number: int) -> None:
    """As large as is allowed to a session, which is forged, in the smallest parts."""
    part = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    body = part * (3_900_000 // len(part)) + b"--b--\r\n"
    kind = "Content-Type: multipart/form-data; boundary=b"
    async with target.connection(number) as (reader, writer):
        said = [kind, f"Content-Length: {len(body)}", LAST, forged_session()]
        await answered(reader, writer, head("POST", "/login/", *said) + body)


async def large_forms(target: Target, number: int) -> None:
    body = b"a=%41&" * 650_000
    async with target.connection(number) as (reader, writer):
        said = [FORM, f"Content-Length: {len(body)}", LAST, forged_session()]
        await answered(reader, writer, head("POST", "/login/", *said) + body)


async def slow_bytes(target: Target, number: int) -> None:
    """A header, or a body, byte by byte."""
    async with target.connection(number) as (_, writer):
        writer.write(head("POST", "/login/", FORM, "Content-Length: 9000")[: -2 * (number % 2)])
        while not target.is_over():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(1)


async def idle_connections(target: Target, number: int) -> None:
    async with target.connection(number) as (reader, _):
        await reader.read(1)


async def login_guesses(target: Target, number: int) -> None:
    token = secrets.token_hex(16)
    names = {"username": f"user-{random.randrange(50)}", "password": secrets.token_hex(6)}
    body = urlencode({**names, "csrfmiddlewaretoken": token}).encode()
    async with target.connection(number) as (reader, writer):
        said = [FORM, f"Content-Length: {len(body)}", LAST, f"Cookie: dboshub_csrf={token}"]
        await answered(reader, writer, head("POST", "/login/", *said) + body)


async def forged_handshakes(target: Target, number: int) -> None:
    async with target.connection(number) as (reader, writer):
        origin = "http://evil.example" if number % 2 else ""
        await answered(reader, writer, upgrade(target.port, forged_session(), origin=origin))


async def sockets_without_session(target: Target, number: int) -> None:
    async with target.connection(number) as (reader, writer):
        writer.write(upgrade(target.port))
        await asyncio.wait_for(reader.read(1_000), 10)
        await asyncio.sleep(1)


async def long_queries(target: Target, number: int) -> None:
    size = (100_000, 15_000)[number % 2]
    async with target.connection(number) as (reader, writer):
        await answered(reader, writer, head("GET", f"/login/?next={'%2F' * (size // 3)}", LAST))


async def forged_sessions(target: Target, number: int) -> None:
    """Each asks the database who it is."""
    async with target.connection(number) as (reader, writer):
        await answered(reader, writer, head("GET", "/workflows/", LAST, forged_session()))


async def _pour(writer: asyncio.StreamWriter, piece: bytes) -> None:
    while True:
        writer.write(piece)
        await asyncio.wait_for(writer.drain(), 10)


# How many of each are under way at once.
FLOODS = {
    large_lengths: 20,
    endless_chunks: 20,
    multipart_bombs: 20,
    large_forms: 20,
    slow_bytes: 400,
    idle_connections: 5_000,
    login_guesses: 20,
    forged_handshakes: 40,
    sockets_without_session: 100,
    long_queries: 20,
    forged_sessions: 60,
}
