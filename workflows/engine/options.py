"""Options of the starts within a block: id, timeout, attributes, queue options."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Literal, get_args

from dboshub.workflows.engine import validation
from dboshub.workflows.engine.errors import DBOSException

MAX_PRIORITY = 2**31 - 1
# The first value of each is its default.
WorkflowIDReusePolicy = Literal["return-existing", "reject"]
DuplicationPolicy = Literal["reject", "return-existing"]
REUSE_POLICIES = get_args(WorkflowIDReusePolicy)
DUPLICATION_POLICIES = get_args(DuplicationPolicy)


@dataclass(slots=True)
class ChosenId:
    """An id for the next start in a block. It is used once."""

    value: str
    reuse_policy: str = "return-existing"
    is_used: bool = False


@dataclass(frozen=True, slots=True)
class StartOptions:
    """The options that the ``Set…`` blocks around a start give; times are seconds."""

    chosen_id: ChosenId | None = None
    timeout_s: float | None = None
    has_timeout: bool = False
    deduplication_id: str | None = None
    duplication_policy: str = "reject"
    priority: int = 0
    partition_key: str | None = None
    delay_s: float | None = None
    application_version: str | None = None
    attributes: dict[str, Any] | None = None
    trace: dict[str, str] | None = None
    application_name: str | None = None
    is_debounced: bool = False
    debounce_timeout_s: float | None = None

    def without_queue(self) -> StartOptions:
        """These options without those that have a meaning on a queue alone."""
        if self is NO_OPTIONS:
            return self
        return replace(self, deduplication_id=None, priority=0, partition_key=None, delay_s=None)

    def verify_queue_options(self, *, is_by_client: bool) -> None:
        """Raise DBOSException for an unknown policy, or options that exclude each other.

        A client may give a partition key beside a deduplication id, as in the dbos library; the id
        counts on the whole queue.
        """
        _one_of("duplication_policy", self.duplication_policy, DUPLICATION_POLICIES)
        if self.deduplication_id is None and self.duplication_policy == "return-existing":
            raise DBOSException("duplication_policy 'return-existing' requires a deduplication_id.")
        has_both = self.deduplication_id is not None and self.partition_key is not None
        if has_both and not is_by_client:
            raise DBOSException("Deduplication is not supported for partitioned queues")

    def take_id(self) -> ChosenId | None:
        """The chosen id; None at every later call."""
        if self.chosen_id is None or self.chosen_id.is_used:
            return None
        self.chosen_id.is_used = True
        return self.chosen_id


NO_OPTIONS = StartOptions()
OPTIONS: ContextVar[StartOptions] = ContextVar("dboshub_options", default=NO_OPTIONS)


class OptionsBlock(ABC):
    """Base of the ``Set…`` blocks, which change the options of starts within them."""

    def __init__(self) -> None:
        self._token: Token[StartOptions] | None = None

    @abstractmethod
    def changes(self) -> dict[str, Any]:
        """The fields of ``StartOptions`` that the block changes."""

    def __enter__(self) -> OptionsBlock:
        if self._token is not None:
            raise DBOSException(
                f"This {type(self).__name__} is already in use; create a new one for each with "
                "block."
            )
        self._token = OPTIONS.set(replace(OPTIONS.get(), **self.changes()))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        token, self._token = self._token, None
        if token is not None:
            OPTIONS.reset(token)


class SetWorkflowID(OptionsBlock):
    """The next workflow that is started, enqueued or forked in the block gets this id.

    With ``workflow_id_reuse_policy="reject"`` an id in use raises DBOSWorkflowIDInUseError; by
    default the start returns the existing workflow. Raises DBOSException for a blank id.
    """

    def __init__(self, wfid: str, *, workflow_id_reuse_policy: str | None = None) -> None:
        super().__init__()
        policy = checked_reuse_policy(workflow_id_reuse_policy)
        self._chosen = (validation.workflow_id(wfid), policy)

    def changes(self) -> dict[str, Any]:
        return {"chosen_id": ChosenId(*self._chosen)}


class SetWorkflowTimeout(OptionsBlock):
    """Workflows that are started in the block are cancelled after this many seconds.

    The time of an enqueued workflow begins when it is dequeued. None and 0 set no limit. Raises
    ValueError for a negative time.
    """

    def __init__(self, workflow_timeout_sec: float | None) -> None:
        super().__init__()
        if workflow_timeout_sec is not None:
            validation.seconds("a workflow timeout", workflow_timeout_sec)
            if workflow_timeout_sec < 0:
                raise ValueError(
                    f"Invalid workflow timeout {workflow_timeout_sec}. Timeouts must be positive."
                )
        self._seconds = workflow_timeout_sec or None

    def changes(self) -> dict[str, Any]:
        return {"timeout_s": self._seconds, "has_timeout": True}


class SetWorkflowAttributes(OptionsBlock):
    """Workflows that are started in the block get these attributes; children do not inherit them.

    Raises DBOSException for a value that is not a JSON object.
    """

    def __init__(self, attributes: dict[str, Any] | None) -> None:
        super().__init__()
        self._attributes = None if attributes is None else validation.attributes(attributes)

    def changes(self) -> dict[str, Any]:
        return {"attributes": self._attributes}


class SetEnqueueOptions(OptionsBlock):
    """Queue options of the workflows that are enqueued in the block.

    A lower `priority` runs first; `delay_seconds` postpones the start. Raises DBOSException for
    values outside their range. What excludes each other is refused where it is used.
    """

    def __init__(
        self,
        *,
        deduplication_id: str | None = None,
        priority: int | None = None,
        app_version: str | None = None,
        queue_partition_key: str | None = None,
        delay_seconds: float | None = None,
        duplication_policy: str | None = None,
    ) -> None:
        super().__init__()
        if priority is not None and not _is_priority(priority):
            raise DBOSException(
                f"Invalid priority {priority!r}. Priority must be between 1~{MAX_PRIORITY}."
            )
        if delay_seconds is not None and validation.seconds("delay_seconds", delay_seconds) < 0:
            raise DBOSException(f"delay_seconds cannot be negative: {delay_seconds}")
        validation.optional_text("a deduplication id", deduplication_id)
        validation.optional_text("a partition key", queue_partition_key)
        validation.optional_text("an application version", app_version)
        self._changes = {
            "deduplication_id": deduplication_id,
            "priority": priority or 0,
            "application_version": app_version,
            "partition_key": queue_partition_key,
            "delay_s": delay_seconds,
            "duplication_policy": duplication_policy or DUPLICATION_POLICIES[0],
        }

    def changes(self) -> dict[str, Any]:
        return self._changes


def _is_priority(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MAX_PRIORITY


def checked_reuse_policy(given: str | None) -> str:
    """The policy, or the default for None. Raises DBOSException for an unknown one."""
    return _one_of("workflow_id_reuse_policy", given, REUSE_POLICIES)


def _one_of(what: str, value: str | None, known: tuple[str, ...]) -> str:
    if value is None:
        return known[0]
    if value not in known:
        raise DBOSException(
            f"Invalid {what} {value}. Must be either {' or '.join(map(repr, known))}."
        )
    return value
