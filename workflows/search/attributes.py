"""Criteria on a workflow's attributes: a path through nested objects, and the scalar at its end.

Attributes are payload: only those who may see payloads may ask. Numbers compare as they are
written, so that no digit is lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from dboshub.workflows.search.predicates import Predicate, RowTest, literal, with_negation

PREFIX = "attr."
SCALAR = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?|true|false|null", re.ASCII)
# What neither a path of SQLite nor the search box can quote.
FORBIDDEN = re.compile(r'["\\:\s\x00]')


class Number(str):
    """A JSON number as it is written."""

    __slots__ = ()


def read_attributes(text: str | None) -> Any:
    """Attributes as predicates want them, with every number as it is written."""
    if text is None:
        return None
    return json.loads(text, parse_int=Number, parse_float=Number)


def is_path(key: str) -> bool:
    """Whether a key names an attribute that both databases can be asked for."""
    steps = key.removeprefix(PREFIX).split(".")
    return key.startswith(PREFIX) and all(steps) and not FORBIDDEN.search(key)


def attribute_predicate(key: str, path: str, value: str) -> Predicate:
    """A criterion on one attribute, in the language of text_condition; `-` is for a missing one."""
    steps = path.removeprefix(PREFIX).split(".")
    return with_negation(value, lambda said: _attribute(key, steps, said))


def documents(path: str, values: Sequence[str]) -> list[str]:
    """JSON texts of which attributes contain one, if they match one of these values exactly.

    There are none where that cannot be said: of beginnings, of what is missing, and of numbers
    with an exponent, which may be larger than jsonb holds.
    """
    steps = path.removeprefix(PREFIX).split(".")
    found: list[str] = []
    for given in values:
        # Two negations are none.
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
    """`{}` in the test stands for the JSON text of the attribute, NULL where there is none."""
    path = _numbered(f"{key}_at", steps)
    postgres = "".join(f" -> CAST(:{name} AS text)" for name in path)
    whole = f"{key}_path"
    return Predicate(
        key,
        test.replace("{}", f"CAST(attributes{postgres} AS text)"),
        params | path | {whole: "$" + "".join(f'."{step}"' for step in steps)},
        matches,
        sqlite=test.replace("{}", f"(attributes -> :{whole})"),
        reads="attributes",
    )


def _numbered(key: str, values: Sequence[str]) -> dict[str, str]:
    return {f"{key}_{at}": value for at, value in enumerate(values)}


def _written(text: str) -> list[str]:
    """A string as JSON writes it, with and without escapes for what is not ASCII."""
    return list(dict.fromkeys(json.dumps(text, ensure_ascii=escapes) for escapes in (False, True)))


def _exact(text: str) -> list[str]:
    """How JSON may write what was typed: as a string, and as the number or constant it is."""
    return [*_written(text), *([text] if SCALAR.fullmatch(text) else [])]


def _at(row: Any, steps: Sequence[str]) -> str | None:
    """The JSON text of an attribute, None where there is none; of what nests, nothing matches."""
    value = row.attributes
    for step in steps:
        if not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    return value if isinstance(value, Number) else json.dumps(value, ensure_ascii=False)


def _begins(row: Any, steps: Sequence[str], prefix: str) -> bool:
    return (_at(row, steps) or "").startswith(_written(prefix)[0][:-1])
