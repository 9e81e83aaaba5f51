"""How pages show a stored value: inline if it is small, else as a link. Nothing is unpickled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.urls import reverse

from dboshub.workflows.payloads.envelope import as_call
from dboshub.workflows.payloads.exceptions import traceback
from dboshub.workflows.payloads.inline import inline
from dboshub.workflows.payloads.redacted import readable
from dboshub.workflows.payloads.tree import (
    Failure,
    Instance,
    Mapping,
    Node,
    Raw,
    Scalar,
    Sequence,
    Truncated,
)
from dboshub.workflows.selectors.detail.values import MAX_SHOWN, StoredValue

MAX_INLINE_SIZE = 16 * 1_024
# Characters of a value that is shown on one line.
MAX_LINE_LENGTH = 90


@dataclass(frozen=True, slots=True)
class ValueAddress:
    """A value of a workflow, as a URL addresses it."""

    workflow_id: str
    kind: str
    key: str = ""
    step: int = 0

    @property
    def url(self) -> str:
        query = {"of": self.kind, "key": self.key, "step": self.step or ""}
        given = urlencode({name: value for name, value in query.items() if value != ""})
        return f"{reverse('dboshub:workflows:value', args=[self.workflow_id])}?{given}"

    @property
    def download_url(self) -> str:
        return f"{self.url}&download=1"

    @property
    def name(self) -> str:
        if self.kind in ("step", "step-error"):
            return f"{'error' if self.kind == 'step-error' else 'output'} of step {self.step}"
        if self.kind == "stream":
            return f"value {self.step} of stream {self.key}"
        if self.kind == "history":
            return f"event {self.key} as of step {self.step}"
        return f"event {self.key}" if self.kind == "event" else self.kind


@dataclass(frozen=True, slots=True)
class Value:
    """A value as shown. `node` is None if it is too large to be shown, or not permitted."""

    address: ValueAddress
    size: int
    node: Node | None = None
    is_hidden: bool = False
    is_cut: bool = False

    @property
    def url(self) -> str:
        return self.address.url

    @property
    def download_url(self) -> str:
        return self.address.download_url

    @property
    def is_line(self) -> bool:
        """Whether the value is plain data that fits on one line."""
        match self.node:
            case Scalar(text=text) | Raw(text=text):
                return len(text) <= MAX_LINE_LENGTH and "\n" not in text
            case Mapping() | Sequence():
                return len(inline(self.node, MAX_LINE_LENGTH + 1)) <= MAX_LINE_LENGTH
        return False

    @property
    def raised(self) -> Failure | Instance | None:
        """The exception that the value is, of which the end may be missing."""
        node = self.node
        if isinstance(node, Truncated):
            node = node.node
        if isinstance(node, Sequence) and node.kind == "parts" and node.items:
            node = node.items[0]
        return node if isinstance(node, Failure | Instance) else None

    @property
    def traceback(self) -> str:
        raised = self.raised
        return traceback(raised.state) if isinstance(raised, Failure) else ""


def whole(address: ValueAddress, stored: StoredValue) -> Value:
    """The value, up to the size that a page shows."""
    text, is_cut = stored.text, stored.is_cut
    node = readable(text, stored.serialization, limit=MAX_SHOWN, is_cut=is_cut)
    return Value(address, stored.size, node, is_cut=is_cut)


def brief(address: ValueAddress, stored: StoredValue | None) -> Value | None:
    """The value if it is small, else a link to it."""
    if stored is None:
        return None
    return Value(address, stored.size) if stored.size > MAX_INLINE_SIZE else whole(address, stored)


def arguments(value: Value | None) -> Value | None:
    """A workflow's input as the arguments of a call, without the envelope around it."""
    if value is None or value.node is None:
        return value
    return replace(value, node=as_call(value.node))


def listed(
    address: ValueAddress, size: int, text: str | None, serialization: str | None, *, payload: bool
) -> Value:
    """A value whose text was read only if it is small and permitted."""
    if not payload:
        return Value(address, size, is_hidden=True)
    return (
        Value(address, size)
        if text is None
        else whole(address, StoredValue(text, size, serialization))
    )
