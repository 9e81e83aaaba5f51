"""Readable text for some standard library classes, such as dates, UUIDs and decimals.

The text is computed from the recorded arguments. Unexpected arguments are shown as they are, so
that a forged argument does no harm.
"""

from __future__ import annotations

import builtins
import datetime as dt
from collections.abc import Callable
from typing import Any

from dboshub.workflows.payloads.pickle_machine import UNSET, Box
from dboshub.workflows.payloads.tree import Scalar, shown

EXCEPTIONS = frozenset(
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
)
MAX_BITS = 12_000
# Thousands of objects can share one argument, so work and text per object are bounded.
MAX_LENGTH = 400
MAX_NON_ASCII_LENGTH = 100
UUID_LIMIT = 1 << 128


def is_exception(name: str) -> bool:
    """Whether a class of this name is probably an exception; the class itself is not loaded."""
    module, _, short = name.rpartition(".")
    if module == "builtins":
        return short in EXCEPTIONS
    return short.endswith(("Error", "Exception", "Exceeded", "Cancelled", "Warning"))


def plain(value: object) -> Scalar | None:
    """The exact text of a value without parts."""
    match value:
        case None:
            return Scalar("none", "None")
        case bool():
            return Scalar("bool", str(value))
        case int():
            return Scalar("int", integer(value))
        case float():
            return Scalar("float", repr(value))
        case str():
            return Scalar("str", shown(value))
        case bytes():
            return Scalar("bytes", repr(value))
        case bytearray():
            return Scalar("bytearray", repr(bytes(value)))
        case _:
            return None


def integer(value: int) -> str:
    # The conversion of a huge number to decimal takes quadratic time, to hexadecimal linear.
    return str(value) if value.bit_length() <= MAX_BITS else hex(value)


def as_bytes(value: Any) -> bytes | None:
    """Bytes in the form of any protocol; old protocols encode them as Latin-1 text."""
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if isinstance(value, str):
        return latin(value)
    if isinstance(value, Box) and value.kind == "instance":
        if value.name == "_codecs.encode" and value.args and isinstance(value.args[0], str):
            known = len(value.args) == 2 and value.args[1] == "latin1"
            return latin(value.args[0]) if known else None
        if value.name == "builtins.bytes" and not value.args:
            return b""
    return None


def latin(text: str) -> bytes | None:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return None


def recognise(box: Box) -> Scalar | None:
    """The scalar for an object of a known class, or None."""
    reader = READERS.get(box.name)
    if reader is None:
        return None
    try:
        text = reader(box)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    if text is None or len(text) > (MAX_LENGTH if text.isascii() else MAX_NON_ASCII_LENGTH):
        return None
    return Scalar(box.name, shown(text))


def packed(value: Any, size: int) -> bytes | None:
    """The bytes of a date or time; None, without a copy, for any other size."""
    source = value.args[0] if isinstance(value, Box) and value.args else value
    if not isinstance(source, str | bytes | bytearray) or len(source) != size:
        return None
    data = as_bytes(value)
    return data if data is not None and len(data) == size else None


def moment(box: Box) -> str | None:
    data = packed(box.args[0], 10)
    if data is None:
        return None
    zone = "" if len(box.args) < 2 else offset(box.args[1])
    if zone is None:
        return None
    # The top bit of the month is `fold`: the second pass of a repeated hour.
    date = dt.date(data[0] << 8 | data[1], data[2] & 0x7F, data[3])
    return f"{date.isoformat()}T{clock(data[4:])}{zone}{' fold=1' if data[2] & 0x80 else ''}"


def clock(data: bytes) -> str:
    micros = data[3] << 16 | data[4] << 8 | data[5]
    return dt.time(data[0] & 0x7F, data[1], data[2], micros).isoformat()


def offset(zone: Any) -> str | None:
    if not isinstance(zone, Box):
        return None
    if zone.name in {"datetime.timezone", "datetime.timezone.utc"}:
        span = zone.args[0] if zone.args else None
        delta = interval_value(span) if isinstance(span, Box) else dt.timedelta(0)
        return dt.datetime(2000, 1, 1, tzinfo=dt.timezone(delta)).isoformat()[19:]
    if zone.name in {"zoneinfo.ZoneInfo._unpickle", "zoneinfo.ZoneInfo", "pytz._UTC"}:
        return zone_name(zone.args[0]) if zone.args else " UTC"
    return None


def zone_name(name: Any) -> str | None:
    return f" {name}" if isinstance(name, str) and len(name) <= MAX_NON_ASCII_LENGTH else None


def day(box: Box) -> str | None:
    data = packed(box.args[0], 4)
    if data is None:
        return None
    return dt.date(data[0] << 8 | data[1], data[2], data[3]).isoformat()


def time_of_day(box: Box) -> str | None:
    data = packed(box.args[0], 6)
    if data is None:
        return None
    zone = "" if len(box.args) < 2 else offset(box.args[1])
    return None if zone is None else clock(data) + zone


def interval_value(box: Box) -> dt.timedelta:
    days, seconds, micros = box.args
    if any(type(part) is not int for part in (days, seconds, micros)):
        raise TypeError
    return dt.timedelta(days, seconds, micros)


def interval(box: Box) -> str | None:
    return str(interval_value(box))


def zone(box: Box) -> str | None:
    text = offset(box)
    return None if text is None else f"UTC{text}".removesuffix("+00:00")


def uuid(box: Box) -> str | None:
    pairs = box.state.pairs[:8] if isinstance(box.state, Box) else []
    number = next((value for key, value in pairs if key == "int"), None)
    if type(number) is not int or not 0 <= number < UUID_LIMIT:
        return None
    digits = f"{number:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def only_text(box: Box) -> str | None:
    plain_call = len(box.args) == 1 and box.state is UNSET
    return box.args[0] if plain_call and isinstance(box.args[0], str) else None


def first_text(box: Box) -> str | None:
    return box.args[0] if isinstance(box.args[0], str) else None


def complex_(box: Box) -> str | None:
    real, imaginary = box.args
    if type(real) is not float or type(imaginary) is not float:
        return None
    return str(complex(real, imaginary))


def path(box: Box) -> str | None:
    if not 0 < len(box.args) < 64:
        return None
    if not all(isinstance(part, str) for part in box.args):
        return None
    if sum(map(len, box.args)) > MAX_LENGTH:
        return None
    return "/".join(box.args).replace("//", "/", 1)


READERS: dict[str, Callable[[Box], str | None]] = {
    "datetime.datetime": moment,
    "datetime.date": day,
    "datetime.time": time_of_day,
    "datetime.timedelta": interval,
    "datetime.timezone": zone,
    "zoneinfo.ZoneInfo._unpickle": first_text,
    "uuid.UUID": uuid,
    "decimal.Decimal": only_text,
    "fractions.Fraction": only_text,
    "builtins.complex": complex_,
    "pathlib.PosixPath": path,
    "pathlib.PurePosixPath": path,
}
