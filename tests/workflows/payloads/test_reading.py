"""What people store is shown as what it is, in every format."""

from __future__ import annotations

import base64
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import json
import pathlib
import pickle
import uuid
import zoneinfo
from typing import Any

import pytest

from dboshub.workflows.payloads import read
from dboshub.workflows.payloads.exceptions import traceback
from dboshub.workflows.payloads.inline import inline
from dboshub.workflows.payloads.tree import (
    NONE,
    Failure,
    Instance,
    Malformed,
    Mapping,
    Node,
    Raw,
    Recursion,
    Scalar,
    Sequence,
    Truncated,
)


@dataclasses.dataclass
class Order:
    number: int
    note: str


@dataclasses.dataclass(slots=True)
class Slotted:
    number: int


class Colour(enum.Enum):
    RED = "red"


class Basket(dict[str, int]):
    pass


class PaymentError(Exception):
    def __init__(self, order: int, reason: str) -> None:
        super().__init__(order, reason)


def stored(value: Any, protocol: int = 4) -> str:
    return base64.b64encode(pickle.dumps(value, protocol)).decode()


def pickled(value: Any, protocol: int = 4) -> Node:
    return read(stored(value, protocol), "py_pickle")


NOON = dt.datetime(2026, 3, 1, 12, 0, 0, 250)
SCALARS = [
    (NOON, "datetime.datetime", "2026-03-01T12:00:00.000250"),
    (NOON.replace(tzinfo=dt.UTC), "datetime.datetime", "2026-03-01T12:00:00.000250+00:00"),
    (
        NOON.replace(tzinfo=dt.timezone(dt.timedelta(hours=-5))),
        "datetime.datetime",
        "2026-03-01T12:00:00.000250-05:00",
    ),
    (
        NOON.replace(tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
        "datetime.datetime",
        "2026-03-01T12:00:00.000250 Europe/Berlin",
    ),
    (dt.date(2026, 12, 31), "datetime.date", "2026-12-31"),
    (dt.time(23, 59, 1), "datetime.time", "23:59:01"),
    (dt.timedelta(days=2, seconds=3), "datetime.timedelta", "2 days, 0:00:03"),
    (decimal.Decimal("1.10"), "decimal.Decimal", "1.10"),
    (uuid.UUID(int=7), "uuid.UUID", str(uuid.UUID(int=7))),
    (complex(1, -2), "builtins.complex", "(1-2j)"),
    (b"\x00ab", "bytes", "b'\\x00ab'"),
    (bytearray(b"ab"), "bytearray", "b'ab'"),
    (2**70, "int", str(2**70)),
    (0.1, "float", "0.1"),
    ("é", "str", "é"),
    (True, "bool", "True"),
]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(("value", "kind", "text"), SCALARS)
def test_scalars_read_as_people_write_them(value: Any, kind: str, text: str, protocol: int) -> None:
    assert pickled(value, protocol) == Scalar(kind, text)


def test_the_second_passage_of_a_repeated_hour_is_marked() -> None:
    assert inline(pickled(NOON.replace(fold=1))) == "2026-03-01T12:00:00.000250 fold=1"


def test_a_path_reads_as_a_path() -> None:
    assert pickled(pathlib.PurePosixPath("/srv/data/é.csv")) == Scalar(
        "pathlib.PurePosixPath", "/srv/data/é.csv"
    )


@pytest.mark.parametrize("protocol", range(6))
def test_containers_keep_their_kind_and_order(protocol: int) -> None:
    value = {"b": [1, (2,)], "a": {3}, "c": frozenset({4}), "d": collections.Counter("x")}
    one, two, three, four = (Scalar("int", str(number)) for number in (1, 2, 3, 4))
    assert pickled(value, protocol) == Mapping(
        "dict",
        (
            (Scalar("str", "b"), Sequence("list", (one, Sequence("tuple", (two,))))),
            (Scalar("str", "a"), Sequence("set", (three,))),
            (Scalar("str", "c"), Sequence("frozenset", (four,))),
            (Scalar("str", "d"), Mapping("Counter", ((Scalar("str", "x"), one),))),
        ),
    )


@pytest.mark.parametrize("protocol", range(6))
def test_an_ordered_dict_reads_as_a_mapping(protocol: int) -> None:
    node = pickled(collections.OrderedDict(z=1), protocol)
    assert node == Mapping("OrderedDict", ((Scalar("str", "z"), Scalar("int", "1")),))


@pytest.mark.parametrize("protocol", range(6))
def test_objects_are_shown_by_name_and_attributes(protocol: int) -> None:
    node = pickled(Order(7, "gift"), protocol)
    assert isinstance(node, Instance)
    assert node.class_name == f"{__name__}.Order"
    assert inline(node) == 'Order({"number": 7, "note": "gift"})'


def test_slots_enums_and_dict_subclasses_are_shown_by_what_they_hold() -> None:
    assert inline(pickled(Slotted(7))) == 'Slotted({"number": 7})'
    assert inline(pickled(Colour.RED)) == 'Colour("red")'
    basket = pickled(Basket(apple=2))
    assert isinstance(basket, Instance)
    assert basket.contents == Mapping("dict", ((Scalar("str", "apple"), Scalar("int", "2")),))


def test_a_class_that_exists_nowhere_is_only_a_name() -> None:
    forged = b"\x80\x04\x8c\x0anumpy.core\x8c\x05array\x93K\x03\x85R}\x8c\x01aK\x01sb."
    node = read(base64.b64encode(forged).decode(), "py_pickle")
    state = Mapping("dict", ((Scalar("str", "a"), Scalar("int", "1")),))
    assert node == Instance("numpy.core.array", (Scalar("int", "3"),), state=state)


def test_an_exception_reads_as_a_failure_with_its_notes() -> None:
    error = PaymentError(7, "card declined")
    error.add_note("Traceback: line 3")
    node = pickled(error)
    assert isinstance(node, Failure)
    assert node.class_name == f"{__name__}.PaymentError"
    assert node.message == '7, "card declined"'
    assert traceback(node.state) == "Traceback: line 3"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("no such order"), "no such order"),
        (KeyError("id"), '"id"'),
        (FileNotFoundError(2, "No such file"), "[Errno 2] No such file"),
        (RuntimeError(), ""),
        (RuntimeError({"code": 4}), '{"code": 4}'),
    ],
)
def test_builtin_exceptions_say_what_str_says(error: Exception, message: str) -> None:
    node = pickled(error)
    assert isinstance(node, Failure)
    assert node.message == message


def test_a_value_that_holds_itself_ends_at_the_reference() -> None:
    loop: list[Any] = [1]
    loop.append(loop)
    assert pickled(loop) == Sequence("list", (Scalar("int", "1"), Recursion("list")))


def test_portable_numbers_keep_every_digit_and_duplicate_keys_stay() -> None:
    text = '{"n": 12345678901234567890.10, "i": 1e400, "n": -0}'
    assert read(text, "portable_json") == Mapping(
        "dict",
        (
            (Scalar("str", "n"), Scalar("float", "12345678901234567890.10")),
            (Scalar("str", "i"), Scalar("float", "1e400")),
            (Scalar("str", "n"), Scalar("int", "-0")),
        ),
    )


@pytest.mark.parametrize(
    "text",
    [
        '{"positionalArgs":[1],"namedArgs":{"a":null}}',
        '{"namedArgs":{"a":null},"positionalArgs":[1]}',
    ],
)
def test_portable_arguments_take_the_shape_of_pickled_ones(text: str) -> None:
    assert inline(read(text, "portable_json")) == '{"args": [1], "kwargs": {"a": None}}'
    assert inline(pickled({"args": (1,), "kwargs": {}})) == '{"args": (1,), "kwargs": {}}'


def test_missing_portable_arguments_are_empty() -> None:
    assert inline(read('{"positionalArgs":null}', "portable_json")) == '{"args": (), "kwargs": {}}'


def test_a_portable_error_reads_as_a_failure() -> None:
    text = json.dumps({"name": "OrderError", "message": "no", "code": 7, "data": None})
    state = Mapping("dict", ((Scalar("str", "code"), Scalar("int", "7")),))
    assert read(text, "portable_json") == Failure("OrderError", "no", (), state)


def test_a_value_that_only_resembles_an_error_stays_a_value() -> None:
    text = '{"name": 1, "message": "no", "code": null, "data": null}'
    assert isinstance(read(text, "portable_json"), Mapping)


def test_without_a_format_the_text_says_what_it_is() -> None:
    assert read(stored([1]), None) == Sequence("list", (Scalar("int", "1"),))
    assert read("[1]", None) == Sequence("list", (Scalar("int", "1"),))
    assert read("plain words", None) == Raw("plain words")
    assert read(None, "py_pickle") == NONE


@pytest.mark.parametrize(
    ("serialization", "text"),
    [
        ("js_superjson", '{"json":[1]}'),
        ("java_jackson", '{"json":[1]}'),
        ("DBOS_JSON", '{"json":[1]}'),
        ("DBOS_JSON", base64.b64encode(b'{"json":[1]}').decode()),
    ],
)
def test_other_languages_are_read_as_far_as_they_are_json(serialization: str, text: str) -> None:
    assert inline(read(text, serialization)) == '{"json": [1]}'


def test_a_format_nobody_knows_is_shown_as_it_is() -> None:
    assert read("<secret>", "fernet") == Raw("<secret>")
    assert read("not json", "js_superjson") == Raw("not json")


def test_lone_surrogates_are_spelled_out() -> None:
    assert pickled("a\ud800") == Scalar("str", "a\\ud800")
    assert read('"\\ud800"', "portable_json") == Scalar("str", "\\ud800")


def test_text_beyond_the_limit_is_cut_and_says_so() -> None:
    node = read('"' + "x" * 500 + '"', "portable_json", limit=100)
    assert isinstance(node, Truncated)
    assert node.node == Raw('"' + "x" * 99)


def test_a_pickle_beyond_the_limit_shows_what_was_read() -> None:
    node = read(stored(list(range(1_000))), "py_pickle", limit=300)
    assert isinstance(node, Truncated)
    assert isinstance(node.node, Sequence)
    assert node.node.items[:2] == (Scalar("int", "0"), Scalar("int", "1"))


@pytest.mark.parametrize("text", ["{", "[1,]", '{"a"', "nul", ""])
def test_broken_json_is_labelled_and_kept(text: str) -> None:
    node = read(text, "portable_json")
    assert isinstance(node, Malformed)
    assert node.excerpt == text
