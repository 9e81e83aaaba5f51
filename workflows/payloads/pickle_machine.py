"""A symbolic pickle machine: interprets opcodes and records what they would build.

It never imports, looks up or calls anything: a class is a dotted name, an object is a ``Box`` with
that name and its arguments. This module must not import ``pickle``.
"""

from __future__ import annotations

from collections.abc import Callable
from pickletools import genops
from typing import Any

MARK: Any = object()
UNSET: Any = object()
HIGHEST_PROTOCOL = 5
MAX_COPIED_ARGS = 8
MAX_NAME_LENGTH = 300
# Module names of Python 2, which protocols 0 to 2 use.
RENAMED = {
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "exceptions": "builtins",
    "UserDict": "collections",
}


class UnreadableError(ValueError):
    """The stream is not a valid pickle."""


class Box:
    """A container or object under construction, by its ``kind``."""

    __slots__ = ("args", "items", "keywords", "kind", "name", "pairs", "state")

    def __init__(self, kind: str, name: str = "", args: list[Any] | None = None) -> None:
        self.kind = kind
        self.name = name
        self.args: list[Any] = args if args is not None else []
        self.keywords: Any = UNSET
        self.items: list[Any] = []
        self.pairs: list[tuple[Any, Any]] = []
        self.state: Any = UNSET


class Machine:
    """Interprets one stream; ``result`` is set at its STOP opcode."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.result: Any = UNSET

    def run(self, data: bytes, max_ops: int) -> bool:
        """Interpret the stream up to STOP; False if ``max_ops`` opcodes came first."""
        for count, (opcode, arg, _) in enumerate(genops(data)):
            if count >= max_ops:
                return False
            name = opcode.name
            if name in PUSHES:
                self.stack.append(arg)
            elif name == "STOP":
                self.result = self.pop()
            else:
                ACTIONS[name](self, arg)
        return True

    def partial(self) -> Any:
        """What the stream has built so far, with unfinished parts joined."""
        for _ in range(self.stack.count(MARK)):
            items = self.pop_mark()
            owner = self.stack[-1] if self.stack else MARK
            if isinstance(owner, Box) and owner.kind == "dict":
                owner.pairs.extend(zip(items[::2], items[1::2], strict=False))
            elif isinstance(owner, Box) and owner.kind in GROWING:
                owner.items.extend(items)
            else:
                self.stack.append(group("tuple", items))
        if len(self.stack) < 2:
            return self.stack[0] if self.stack else UNSET
        first = self.stack[0]
        if isinstance(first, Box) and first.kind == "class":
            return Box("instance", first.name, self.stack[1:])
        return group("parts", self.stack)

    def pop(self) -> Any:
        if not self.stack:
            raise UnreadableError("an opcode pops from an empty stack")
        value = self.stack.pop()
        if value is MARK:
            raise UnreadableError("an opcode pops a mark as a value")
        return value

    def peek(self) -> Any:
        if not self.stack or self.stack[-1] is MARK:
            raise UnreadableError("an opcode changes a value on an empty stack")
        return self.stack[-1]

    def pop_mark(self) -> list[Any]:
        stack = self.stack
        at = len(stack) - 1
        while at >= 0 and stack[at] is not MARK:
            at -= 1
        if at < 0:
            raise UnreadableError("an opcode needs a mark, and there is none")
        items = stack[at + 1 :]
        del stack[at:]
        return items

    def last(self, count: int) -> list[Any]:
        items = [self.pop() for _ in range(count)]
        return items[::-1]


def group(kind: str, items: list[Any]) -> Box:
    box = Box(kind)
    box.items = items
    return box


GROWING = frozenset({"list", "set", "instance"})


def extend(machine: Machine, items: list[Any]) -> None:
    target = machine.peek()
    if not isinstance(target, Box) or target.kind not in GROWING:
        raise UnreadableError("an opcode adds items to a value that is not a collection")
    target.items.extend(items)


def update(machine: Machine, flat: list[Any]) -> None:
    target = machine.peek()
    if not isinstance(target, Box) or target.kind not in {"dict", "instance"}:
        raise UnreadableError("an opcode sets keys on a value that is not a mapping")
    target.pairs.extend(paired(flat))


def paired(flat: list[Any]) -> list[tuple[Any, Any]]:
    if len(flat) % 2:
        raise UnreadableError("an opcode sets a key without a value")
    return list(zip(flat[::2], flat[1::2], strict=True))


def dictionary(flat: list[Any]) -> Box:
    box = Box("dict")
    box.pairs = paired(flat)
    return box


def named(module: object, name: object) -> Box:
    if not isinstance(module, str) or not isinstance(name, str):
        raise UnreadableError("a class name is not text")
    # Thousands of names can share one long text.
    if len(module) + len(name) > MAX_NAME_LENGTH or not (module + name).isprintable():
        raise UnreadableError("a class name is too long or not printable")
    return Box("class", f"{RENAMED.get(module, module)}.{name}")


def arguments(args: Any) -> list[Any]:
    return args.items if isinstance(args, Box) and args.kind == "tuple" else [args]


def called(target: Any, args: list[Any]) -> Box:
    """The object that a call of ``target`` would make, as a name with arguments."""
    if not isinstance(target, Box) or target.kind != "class":
        return Box("instance", "a call of a value", [target, group("tuple", args)])
    name, first = target.name, args[0] if args else None
    if isinstance(first, Box) and first.kind == "class":
        if name == "builtins.getattr" and len(args) == 2 and isinstance(args[1], str):
            return named(first.name, args[1])
        if name == "copyreg._reconstructor" and len(args) == 3:
            return Box("instance", first.name, [] if args[2] is None else [args[2]])
        # Thousands of calls can share one tuple of arguments: never copy a large one.
        if name == "copyreg.__newobj__" and len(args) <= MAX_COPIED_ARGS:
            return Box("instance", first.name, args[1:])
        if name == "copyreg.__newobj_ex__" and len(args) == 3:
            return with_keywords(first, args[1], args[2])
    return Box("instance", name, args)


def with_keywords(target: Any, args: Any, keywords: Any) -> Box:
    made = called(target, arguments(args))
    if not isinstance(keywords, Box) or keywords.pairs:
        made.keywords = keywords
    return made


def build(machine: Machine, _: Any) -> None:
    state = machine.pop()
    target = machine.peek()
    if not isinstance(target, Box):
        raise UnreadableError("an opcode sets the state of a plain value")
    # A second state must not hide the first one.
    target.state = state if target.state is UNSET else group("tuple", [target.state, state])


def instantiate(machine: Machine, arg: str) -> None:
    module, _, name = arg.partition(" ")
    machine.stack.append(called(named(module, name), machine.pop_mark()))


def construct(machine: Machine, _: Any) -> None:
    items = machine.pop_mark()
    if not items:
        raise UnreadableError("an opcode makes an object without a class")
    machine.stack.append(called(items[0], items[1:]))


def reduce(machine: Machine, _: Any) -> None:
    target, args = machine.last(2)
    machine.stack.append(called(target, arguments(args)))


def reduce_keywords(machine: Machine, _: Any) -> None:
    target, args, keywords = machine.last(3)
    machine.stack.append(with_keywords(target, args, keywords))


def global_(machine: Machine, arg: str) -> None:
    module, _, name = arg.partition(" ")
    machine.stack.append(named(module, name))


def put(machine: Machine, index: int) -> None:
    machine.memo[index] = machine.peek()


def get(machine: Machine, index: int) -> None:
    if index not in machine.memo:
        raise UnreadableError("an opcode reads a memo entry that was never set")
    machine.stack.append(machine.memo[index])


def check_protocol(_: Machine, version: int) -> None:
    if version > HIGHEST_PROTOCOL:
        raise UnreadableError(f"protocol {version} is unknown")


Action = Callable[[Machine, Any], Any]


def pushing(make: Callable[[Machine, Any], Any]) -> Action:
    return lambda machine, arg: machine.stack.append(make(machine, arg))


VALUES = """
    INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING
    BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8
"""
PUSHES = frozenset(VALUES.split())

ACTIONS: dict[str, Action] = {
    "PROTO": check_protocol,
    "FRAME": lambda machine, arg: None,
    "MARK": lambda machine, arg: machine.stack.append(MARK),
    "POP": lambda machine, arg: machine.stack.pop(),
    "POP_MARK": lambda machine, arg: machine.pop_mark(),
    "DUP": lambda machine, arg: machine.stack.append(machine.peek()),
    "NONE": pushing(lambda machine, arg: None),
    "NEWTRUE": pushing(lambda machine, arg: True),
    "NEWFALSE": pushing(lambda machine, arg: False),
    "EMPTY_LIST": pushing(lambda machine, arg: Box("list")),
    "EMPTY_TUPLE": pushing(lambda machine, arg: Box("tuple")),
    "EMPTY_DICT": pushing(lambda machine, arg: Box("dict")),
    "EMPTY_SET": pushing(lambda machine, arg: Box("set")),
    "LIST": pushing(lambda machine, arg: group("list", machine.pop_mark())),
    "TUPLE": pushing(lambda machine, arg: group("tuple", machine.pop_mark())),
    "DICT": pushing(lambda machine, arg: dictionary(machine.pop_mark())),
    "FROZENSET": pushing(lambda machine, arg: group("frozenset", machine.pop_mark())),
    "TUPLE1": pushing(lambda machine, arg: group("tuple", machine.last(1))),
    "TUPLE2": pushing(lambda machine, arg: group("tuple", machine.last(2))),
    "TUPLE3": pushing(lambda machine, arg: group("tuple", machine.last(3))),
    "APPEND": lambda machine, arg: extend(machine, machine.last(1)),
    "APPENDS": lambda machine, arg: extend(machine, machine.pop_mark()),
    "ADDITEMS": lambda machine, arg: extend(machine, machine.pop_mark()),
    "SETITEM": lambda machine, arg: update(machine, machine.last(2)),
    "SETITEMS": lambda machine, arg: update(machine, machine.pop_mark()),
    "PUT": put,
    "BINPUT": put,
    "LONG_BINPUT": put,
    "MEMOIZE": lambda machine, arg: put(machine, len(machine.memo)),
    "GET": get,
    "BINGET": get,
    "LONG_BINGET": get,
    "GLOBAL": global_,
    "STACK_GLOBAL": pushing(lambda machine, arg: named(*machine.last(2))),
    "INST": instantiate,
    "OBJ": construct,
    "REDUCE": reduce,
    "NEWOBJ": reduce,
    "NEWOBJ_EX": reduce_keywords,
    "BUILD": build,
    "EXT1": pushing(lambda machine, code: Box("class", f"extension code {code}")),
    "EXT2": pushing(lambda machine, code: Box("class", f"extension code {code}")),
    "EXT4": pushing(lambda machine, code: Box("class", f"extension code {code}")),
    "PERSID": pushing(lambda machine, key: Box("instance", "persistent id", [key])),
    "BINPERSID": pushing(lambda machine, arg: Box("instance", "persistent id", machine.last(1))),
    "NEXT_BUFFER": pushing(lambda machine, arg: Box("instance", "out-of-band buffer")),
    "READONLY_BUFFER": lambda machine, arg: None,
}
