"""Filter predicates on workflow attributes: a path through nested objects to a scalar.

Attributes are payload: callers check the permission. Numbers are compared as text, exactly as
they are written, so that no digit is lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from dboshub.workflows.engine.stored_json import UnreadableJsonError, stored_json
from dboshub.workflows.search.predicates import Predicate, RowTest, literal, with_negation

PREFIX = "attr."
SCALAR = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?|true|false|null", re.ASCII)
# Characters that a JSON path of SQLite or the search box cannot quote.
FORBIDDEN = re.compile(r'["\\:\s\x00]')


class Number(str):
    """The text of a JSON number."""

    __slots__ = ()


def read_attributes(text: str | None) -> Any:
    """Parse attributes for predicates; numbers stay the text that is stored.

    None for attributes that cannot be read: they match like missing ones.
    """
    try:
        return None if text is None else stored_json(text, parse_number=Number)
    except UnreadableJsonError:
        return None


def is_path(key: str) -> bool:
    """Whether a filter key names an attribute that both databases can query."""
    steps = key.removeprefix(PREFIX).split(".")
    return key.startswith(PREFIX) and all(steps) and not FORBIDDEN.search(key)


def attribute_predicate(key: str, path: str, value: str) -> Predicate:
    """A predicate on one attribute; values as in `text_predicate`, `-` matches a missing one."""
    steps = path.removeprefix(PREFIX).split(".")
    return with_negation(value, lambda said: _attribute(key, steps, said))


def documents(path: str, values: Sequence[str]) -> list[str]:
    """JSON documents for a containment query: attributes that match a value contain one of them.

    The list is empty if containment cannot express a value: prefixes, missing attributes, and
    numbers with an exponent, which may exceed the range of jsonb.
    """
    steps = path.removeprefix(PREFIX).split(".")
    found: list[str] = []
    for given in values:
        # The index is asked for the value itself, also of a double negation.
        value = given.lstrip("!") or given
        if value == "-" or (value.endswith("*") and len(value) > 1 and value[0] != "="):
            return []
        for text in _exact(literal(value)):
            if text[0] != '"' and "e" in text.lower() and text not in ("true", "false"):
                return []
            for step in reversed(steps):
                text = f"{{{json.dumps(step, ensure_ascii=False)}: {text}}}"
            found.append(text)
    return list(dict.fromkeys(found))


def _attribute(key: str, steps: Sequence[str], value: str) -> Predicate:
    if value == "-":
        return _attribute_predicate(
            key, steps, "{} IS NULL", {}, lambda row: _at(row, steps) is None
        )
    if value.endswith("*") and len(value) > 1 and not value.startswith("="):
        prefix = value[:-1]
        params = _numbered(key, [each[:-1] for each in _written(prefix)])
        test = " OR ".join(f"SUBSTR({{}}, 1, LENGTH(:{name})) = :{name}" for name in params)
        return _attribute_predicate(
            key, steps, f"({test})", params, lambda row: _begins(row, steps, prefix)
        )
    exact = literal(value)
    params = _numbered(key, _exact(exact))
    names = ", ".join(f":{name}" for name in params)
    return _attribute_predicate(
        key, steps, f"{{}} IN ({names})", params, lambda row: _at(row, steps) in _exact(exact)
    )


def _attribute_predicate(
    key: str, steps: Sequence[str], test: str, params: dict[str, Any], matches: RowTest
) -> Predicate:
    """`{}` in `test` stands for the JSON text of the attribute, which is NULL if it is missing."""
    path = _numbered(f"{key}_at", steps)
    postgres = "".join(f" -> CAST(:{name} AS text)" for name in path)
    whole = f"{key}_path"
    return Predicate(
        key,
        test.replace("{}", f"CAST(attributes{postgres} AS text)"),
        params | path | {whole: "$" + "".join(f'."{step}"' for step in steps)},
        matches,
        # SQLite stores any text in this column, and raises an error for a path in what is not JSON.
        sqlite=test.replace(
            "{}", f"(CASE WHEN json_valid(attributes) THEN attributes -> :{whole} END)"
        ),
        reads="attributes",
    )


def _numbered(key: str, values: Sequence[str]) -> dict[str, str]:
    return {f"{key}_{at}": value for at, value in enumerate(values)}


def _written(text: str) -> list[str]:
    """The JSON forms of a string: with and without escapes for non-ASCII characters."""
    return list(dict.fromkeys(json.dumps(text, ensure_ascii=escapes) for escapes in (False, True)))


def _exact(text: str) -> list[str]:
    """The JSON forms of a typed value: as a string, and as a number or constant if it is one."""
    return [*_written(text), *([text] if SCALAR.fullmatch(text) else [])]


def _at(row: Any, steps: Sequence[str]) -> str | None:
    """The JSON text of an attribute, or None if it is missing. Objects and arrays never match."""
    value = row.attributes
    for step in steps:
        if not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    return value if isinstance(value, Number) else json.dumps(value, ensure_ascii=False)


def _begins(row: Any, steps: Sequence[str], prefix: str) -> bool:
    return (_at(row, steps) or "").startswith(_written(prefix)[0][:-1])
