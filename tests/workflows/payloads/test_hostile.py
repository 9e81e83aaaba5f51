"""Hostile payloads: nothing is executed, and what they cost is bounded whatever they expand to."""

from __future__ import annotations

import ast
import base64
import gc
import os
import pickle
import re
import struct
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dboshub.workflows.payloads import read
from dboshub.workflows.payloads.inline import inline
from dboshub.workflows.payloads.outline import outline
from dboshub.workflows.payloads.redaction import Rules
from dboshub.workflows.payloads.tree import (
    Failure,
    Instance,
    Malformed,
    Node,
    Scalar,
    Sequence,
    Truncated,
)
from dboshub.workflows.rendering.payload_html import payload_tree

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 6
# Writing 5 here resets the peak of this process's memory, VmHWM (man 5 proc).
PEAK = Path("/proc/self/clear_refs")
MEGABYTES = 220
OPS = 200_000
RULES = Rules(["password", "*_token"])


class Command:
    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Any:
        return self.reduced


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def read_bytes(data: bytes) -> Node:
    return read(base64_of(data), "py_pickle")


def text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


def put(slot: int) -> bytes:
    return b"q" + bytes([slot])


def get(slot: int) -> bytes:
    return b"h" + bytes([slot])


def repeated(setup: bytes, each: bytes, times: int) -> bytes:
    """A list of ``times`` objects made by ``each`` from what ``setup`` stored."""
    return b"\x80\x04" + setup + b"](" + each * times + b"e."


@pytest.mark.parametrize("protocol", range(6))
def test_a_command_is_shown_and_never_run(protocol: int, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    attacks = [
        Command(os.system, (f"touch {marker}",)),
        Command(eval, (f"open({str(marker)!r}, 'w')",)),
        Command(exec, (f"open({str(marker)!r}, 'w')",)),
        Command(open, (str(marker), "w")),
    ]
    node = read_bytes(pickle.dumps({"args": attacks, "kwargs": {}}, protocol))
    payload_tree(node)
    assert not marker.exists()
    assert f"touch {marker}" in outline(node)


def test_a_command_shows_what_it_would_have_called() -> None:
    node = read_bytes(b"cos\nsystem\n(Vtouch /tmp/x\ntR.")
    assert node == Instance("os.system", (Scalar("str", "touch /tmp/x"),))
    assert read_bytes(b"(ios\nsystem\n.") == Instance("os.system")


def laughs() -> bytes:
    """Thirty lists of ten references each to the one before: 10**30 items in print."""
    levels = b"".join(b"](" + get(n) * 10 + b"e" + put(n + 1) for n in range(30))
    return b"\x80\x04" + text("ha") + put(0) + levels + b"."


def shared_state() -> bytes:
    state = b"}(" + b"".join(text(f"k{n}") + b"K\x01" for n in range(5_000)) + b"u"
    setup = state + put(0) + b"0" + name("shop", "Order") + put(1) + b"0)" + put(2) + b"0"
    return repeated(setup, get(1) + get(2) + b"\x81" + get(0) + b"b", OPS // 6)


def called_with(module: str, attribute: str, argument: bytes, call: bytes = b"R") -> bytes:
    """Thousands of calls of one name with one shared argument tuple."""
    setup = name(module, attribute) + put(0) + b"0" + argument + put(1) + b"0"
    return repeated(setup, get(0) + get(1) + call, OPS // 4)


def newobj() -> bytes:
    cls = name("shop", "Order")
    return called_with("copyreg", "__newobj__", b"(" + cls + b"K\x01" * 60 + b"t")


def names() -> bytes:
    setup = text("\U0001f600" * 149) + put(0) + b"0"
    return repeated(setup, get(0) + get(0) + b"\x93", OPS // 4)


def nested_failures() -> bytes:
    deep = b"]" * 50 + b"a" * 49
    setup = name("shop", "OrderError") + put(0) + b"0" + deep + put(1) + b"0"
    return repeated(setup, get(0) + get(1) + b"\x85R", OPS // 5)


def latin(size: int) -> bytes:
    return text("a" * size) + b"\x85"


def octets(size: int) -> bytes:
    return b"\x96" + struct.pack("<Q", size) + b"a" * size + b"\x85"


def zoned(size: int) -> bytes:
    zone = name("zoneinfo", "ZoneInfo._unpickle") + latin(size) + b"R"
    return b"C\x0a\x07\xea\x03\x01\x0c\x00\x00\x00\x00\xfa" + zone + b"\x86"


BOMBS: dict[str, Callable[[], bytes]] = {
    "billion laughs": laughs,
    "one state for thousands": shared_state,
    "copied arguments": newobj,
    "long names": names,
    "nested failures": nested_failures,
    "encoded text": lambda: called_with(
        "_codecs", "encode", text("a" * 500_000) + text("latin1") + b"\x86"
    ),
    "text for dates": lambda: called_with("datetime", "datetime", latin(500_000)),
    "octets for dates": lambda: called_with("datetime", "date", octets(500_000)),
    "zones of dates": lambda: called_with("datetime", "datetime", zoned(500_000)),
    "emoji decimals": lambda: called_with(
        "decimal", "Decimal", text("\U0001f600" * 4_000) + b"\x85"
    ),
    "surrogate decimals": lambda: called_with("decimal", "Decimal", text("\ud800" * 100) + b"\x85"),
    "long paths": lambda: called_with("pathlib", "PosixPath", b"(" + text("a" * 390) * 60 + b"t"),
    "huge integer": lambda: b"\x80\x04\x8b" + struct.pack("<i", 700_000) + b"\x7f" * 700_000 + b".",
    "digits": lambda: b"I" + b"9" * 700_000 + b"\n.",
    "empty lists": lambda: b"\x80\x04](" + b"]" * 700_000 + b"e.",
    "deep lists": lambda: b"\x80\x04" + b"]" * 90_000 + b"a" * 89_999 + b".",
    "deep tuples": lambda: b"\x80\x04)" + b"\x85" * 190_000 + b".",
    "marks": lambda: b"\x80\x04" + b"(" * 700_000,
    "length without data": lambda: b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"ha.",
    "memo far away": lambda: b"\x80\x04]r\xff\xff\xff\xff.",
    "duplicates": lambda: b"\x80\x04](" + b"]" + b"2" * 190_000 + b"e.",
}


@contextmanager
def little_memory() -> Iterator[None]:
    """Fail when the body makes the process grow by more than MEGABYTES at any moment."""
    if not PEAK.exists():
        # Tracing makes reading ten times slower, so only where the system keeps no peak.
        tracemalloc.start()
        try:
            yield
            assert tracemalloc.get_traced_memory()[1] < MEGABYTES << 20
        finally:
            tracemalloc.stop()
        return
    gc.collect()
    PEAK.write_text("5")
    before = peak_kb()
    yield
    assert peak_kb() - before < MEGABYTES << 10


def peak_kb() -> int:
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_costs_little(bomb: Callable[[], bytes]) -> None:
    stored = base64_of(bomb())
    started = time.process_time()
    with little_memory():
        node = RULES.apply(read(stored, "py_pickle"))
    page, line, written = payload_tree(node), inline(node), outline(node)
    assert time.process_time() - started < SECONDS
    assert len(page) < 2_000_000
    assert len(line) <= 80
    assert len(written) <= 65_537


@pytest.mark.parametrize("cut", range(1, 60, 3))
def test_a_truncated_pickle_is_labelled_and_shows_its_beginning(cut: int) -> None:
    data = pickle.dumps({"args": (1, "two"), "kwargs": {"three": [3]}}, 4)
    node = read_bytes(data[: len(data) - cut])
    assert isinstance(node, Malformed)
    assert node.reason


@pytest.mark.parametrize(
    "data",
    [
        b".",
        b"\x80\x04.",
        b"\x80\x09K\x01.",
        b"\x80\x04(.",
        b"\x80\x04h\x05.",
        b"\x80\x04K\x01K\x02a.",
        b"\x80\x04}K\x01a.",
        b"\x80\x04](K\x01u.",
        b"\x80\x04K\x01K\x02\x93.",
        b"\x80\x04(o.",
        b"\x80\x04K\x01}b.",
        b"\x80\x04\xff.",
        text("a\nb") + text("c") + b"\x93.",
    ],
)
def test_what_no_pickle_does_is_refused(data: bytes) -> None:
    assert isinstance(read_bytes(data), Malformed)


@pytest.mark.parametrize("stored", ["not base64!", "é", "====", "gA"])
def test_what_is_not_base64_is_refused(stored: str) -> None:
    assert isinstance(read(stored, "py_pickle"), Malformed)


def test_depth_is_cut_and_says_so() -> None:
    node = read_bytes(b"\x80\x04" + b"]" * 90 + b"a" * 89 + b".")
    depth = 0
    while isinstance(node, Sequence):
        node, depth = node.items[0], depth + 1
    assert isinstance(node, Truncated)
    assert depth == 60


@pytest.mark.parametrize("depth", [100, 100_000])
def test_deep_json_is_cut(depth: int) -> None:
    node = read("[" * depth + "]" * depth, "portable_json")
    assert isinstance(node, Sequence | Malformed)
    assert len(payload_tree(node)) < 50_000


def test_a_failure_never_hides_what_it_is_made_of() -> None:
    node = read_bytes(b"cbuiltins\nValueError\n(Vno\ncos\nsystem\ntR.")
    assert isinstance(node, Failure)
    assert node.args == (Scalar("str", "no"), Scalar("class", "os.system"))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_never_raise(data: bytes) -> None:
    for node in (read_bytes(data), read_bytes(b"\x80\x04" + data + b".")):
        payload_tree(node)


OPCODES = st.lists(
    st.sampled_from(
        [
            b"K\x01",
            b"N",
            b"]",
            b"}",
            b")",
            b"(",
            b"a",
            b"e",
            b"s",
            b"u",
            b"t",
            b"l",
            b"d",
            b"\x85",
            b"\x86",
            b"R",
            b"b",
            b"\x81",
            b"\x92",
            b"o",
            b"0",
            b"1",
            b"2",
            b"\x94",
            b"h\x00",
            b"h\x01",
            b"q\x00",
            b"\x8f",
            b"\x90",
            b"\x91",
            b"cshop\nOrder\n",
            b"Q",
            b"cbuiltins\nset\n",
            b"cuuid\nUUID\n",
            b"cdatetime\ndatetime\n",
            b"Va\n",
            b"\x93",
            b"c_codecs\nencode\n",
            b"cshop\nOrderError\n",
            b"ccopyreg\n_reconstructor\n",
        ]
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(OPCODES)
def test_any_sequence_of_opcodes_ends_in_a_tree(opcodes: list[bytes]) -> None:
    node = read_bytes(b"\x80\x04" + b"".join(opcodes) + b".")
    assert payload_tree(node).encode()


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=100), st.sampled_from([None, "py_pickle", "portable_json", "DBOS_JSON"]))
def test_random_text_never_raises(stored: str, serialization: str | None) -> None:
    assert payload_tree(read(stored, serialization)).encode()


def web_modules() -> Iterator[Path]:
    for package in ("dboshub", "workflows", "queues", "schedules"):
        for path in (ROOT / package).rglob("*.py"):
            # Workers unpickle their own data: that is the engine, which no page imports.
            if "engine" not in path.relative_to(ROOT).parts:
                yield path


def test_no_page_can_unpickle() -> None:
    names = {"loads", "load", "Unpickler", "_Unpickler", "_loads"}
    for path in web_modules():
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.ImportFrom(module="pickle" | "_pickle" | "cPickle", names=imported):
                    assert not names & {alias.name for alias in imported}, path
                case ast.Import(names=imported):
                    modules = {alias.name.partition(".")[0] for alias in imported}
                    assert not modules & {"pickle", "_pickle", "dill", "cloudpickle"}, path
