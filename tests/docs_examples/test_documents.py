"""Every block of the documents is run by a test, is a signature, or says why it is neither."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import dboshub
from dboshub import DBOS, DBOSConfig, Debouncer, Serializer, StepInfo, WorkflowHandle
from dboshub.config import checked
from dboshub.error import DBOSInitializationError
from tests.docs_examples import (
    test_page_blocks,
    test_prompt_blocks,
    test_queue_blocks,
    test_tutorial_blocks,
)
from tests.docs_examples.blocks import DOCUMENTS
from tests.docs_examples.pages import BLOCKS, CLAIMED

SHARED = Path(__file__).resolve().parents[3] / "shared" / "seeds"
WHOLE_PROGRAMS = {"dbos-tutorial-1", "dbos-tutorial-6", "dbos-tutorial-9"}  # test_tutorials.py
TYPES = {
    "python-prompt-40": "the signature of Queue and the type of its rate limit",
    "python-prompt-69": "the fields of StepInfo",
    "python-prompt-73": "the fields of WorkflowStatus",
    "python-prompt-75": "the fields of DBOSConfig",
    "python-prompt-76": "the interface of Serializer",
}
# A signature is written as a call with annotations, or as a definition without a body.
SIGNATURE = re.compile(
    r"(?P<of>\w+\.|def )(?P<name>\w+)\((?P<parameters>[^)]*)\)(?: -> [^:]+?)?:?\s*\Z"
)
OWNERS: dict[str, Any] = {
    "DBOS.": DBOS,
    "def ": DBOS,
    "Debouncer.": Debouncer,
    "debouncer.": Debouncer,
    "handle.": WorkflowHandle,
}
# Conductor is what this project takes the place of.
REFUSED = {"conductor_key", "conductor_url"}
MODULES = (test_page_blocks, test_prompt_blocks, test_queue_blocks, test_tutorial_blocks)


def signatures() -> dict[str, re.Match[str]]:
    left = {name: BLOCKS[name].code for name in BLOCKS.keys() - CLAIMED - TYPES.keys()}
    matches = {name: SIGNATURE.match(code) for name, code in left.items()}
    return {name: match for name, match in sorted(matches.items()) if match}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the documents lie beside no checkout elsewhere")
def test_the_copies_are_the_documents() -> None:
    originals = {file.name: file.read_bytes() for file in SHARED.iterdir()}
    assert {file.name: file.read_bytes() for file in DOCUMENTS.iterdir()} == originals


def test_no_block_is_left_out() -> None:
    assert all(MODULES)
    assert len(BLOCKS) > 100
    assert set(BLOCKS) == CLAIMED | WHOLE_PROGRAMS | TYPES.keys() | signatures().keys()


@pytest.mark.parametrize("name", [*signatures()])
def test_a_documented_signature_is_accepted(name: str) -> None:
    """Every parameter has its documented name, kind of passing and default."""
    match = signatures()[name]
    function = getattr(OWNERS[match["of"]], match["name"])
    ours = inspect.signature(function).parameters
    documented = ast.parse(f"def f({match['parameters']}): ...").body[0]
    assert isinstance(documented, ast.FunctionDef)
    for parameter, default in _parameters(documented.args):
        assert parameter in ours or "kwargs" in ours, f"{match['name']} lacks {parameter}"
        if default is not None and parameter in ours:
            assert ours[parameter].default == ast.literal_eval(default), parameter


@pytest.mark.parametrize("name", [name for name in TYPES if name != "python-prompt-40"])
def test_a_documented_type_has_its_fields(name: str) -> None:
    [documented] = ast.parse(BLOCKS[name].code).body
    assert isinstance(documented, ast.ClassDef)
    ours = {
        "StepInfo": StepInfo.__annotations__,
        "WorkflowStatus": dboshub.WorkflowStatus.__dataclass_fields__,
        "DBOSConfig": DBOSConfig.__annotations__,
        "Serializer": vars(Serializer),
    }[documented.name]
    fields = {
        node.target.id if isinstance(node, ast.AnnAssign) else node.name
        for node in documented.body
        if isinstance(node, ast.AnnAssign | ast.FunctionDef)
    }
    assert fields - set(ours) - REFUSED == set()


def test_the_documented_queue_takes_its_parameters() -> None:
    code = BLOCKS["python-prompt-40"].code
    [signature] = re.findall(r"^Queue\((.*?)^\)", code, re.DOTALL | re.MULTILINE)
    documented = ast.parse(f"def f({signature}): ...").body[0]
    assert isinstance(documented, ast.FunctionDef)
    names = [name for name, _ in _parameters(documented.args)]
    assert set(names) <= set(inspect.signature(dboshub.Queue).parameters)


@pytest.mark.parametrize("key", sorted(REFUSED))
def test_what_is_refused_says_what_takes_its_place(key: str) -> None:
    with pytest.raises(DBOSInitializationError, match="this project"):
        checked({"name": "an-app", key: "x"})  # type: ignore[misc]


def _parameters(arguments: ast.arguments) -> list[tuple[str, ast.expr | None]]:
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(arguments.defaults))
    defaults += arguments.defaults
    named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    both = [*zip(plain, defaults, strict=True), *named]
    return [(argument.arg, default) for argument, default in both]
