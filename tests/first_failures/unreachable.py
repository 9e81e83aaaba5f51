"""Servers that cannot be connected to: one that refuses, one that never answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

SECRET = "tops3cret"
# A server that does not answer is given up after two seconds; a pool alone would take ten.
SOON_S = 8.0
REFUSING = f"postgresql://ada:{SECRET}@127.0.0.1:1/shop"


@contextmanager
def silent_server() -> Iterator[str]:
    """The URL of a server that takes connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield f"postgresql://ada:{SECRET}@127.0.0.1:{listener.getsockname()[1]}/shop"
