"""What the code that answers an HTTP request knows of it, whichever framework serves it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.identity import SCOPE, Identity, IdentityScope
from dboshub.workflows.engine.options import SetWorkflowID

WORKFLOW_ID = "dbos-workflow-id"  # header: the id of the first workflow that the request starts
REQUEST_ID = "x-request-id"  # header of request and reply: one names itself, another is named
_PLAIN_ID = re.compile(r"[\w.:-]{1,200}\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request; the names of headers are in lower case."""

    request_id: str
    method: str
    url: str
    base_url: str
    headers: Mapping[str, str]
    query_params: Mapping[str, str]
    path_params: Mapping[str, Any]
    cookies: Mapping[str, str]
    client: str | None


REQUEST: ContextVar[Request | None] = ContextVar("dboshub_request", default=None)


def current_request() -> Request | None:
    """The HTTP request that the current code answers, or None."""
    return REQUEST.get()


def request_id(headers: Mapping[str, str]) -> str:
    """The id that a request names, if it is fit for logs and headers, or a new one."""
    given = headers.get(REQUEST_ID, "")
    return given if _PLAIN_ID.match(given) else str(uuid.uuid4())


def problem_of(request: Request) -> str | None:
    """Why a request cannot be answered: the workflow id in its headers can be none."""
    try:
        SetWorkflowID(request.headers.get(WORKFLOW_ID, "unset"))
    except DBOSException as error:
        return f"{WORKFLOW_ID}: {error.message}"
    return None


@contextmanager
def request_context(request: Request, tracer: Any, identity: Identity) -> Iterator[None]:
    """Let the code in the block answer a request, at first on behalf of `identity`."""
    with ExitStack() as stack:
        if WORKFLOW_ID in request.headers:
            stack.enter_context(SetWorkflowID(request.headers[WORKFLOW_ID]))
        stack.callback(REQUEST.reset, REQUEST.set(request))
        stack.callback(SCOPE.reset, SCOPE.set(IdentityScope(identity)))
        if tracer is not None and (span := _span(request, tracer)) is not None:
            variable, token = stack.enter_context(span).activate()
            stack.callback(variable.reset, token)
        yield


def _span(request: Request, tracer: Any) -> Any:
    url = request.url.partition("?")[0]
    return tracer.request(
        "/" + url.removeprefix(request.base_url).lstrip("/"),
        request.headers,
        requestID=request.request_id,
        requestIP=request.client,
        requestURL=url,
        requestMethod=request.method,
    )
