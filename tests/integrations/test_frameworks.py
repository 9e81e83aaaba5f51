"""FastAPI and Flask: the engine lives with the application, and handlers know their request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from flask import Flask

from dboshub import DBOS, DBOSConfig
from dboshub.workflows.engine import current_engine
from tests.support.leaks import assert_no_thread_but, threads
from tests.support.spans import Spans, told

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


@DBOS.step()
def greet(name: str) -> str:
    return f"Hello, {name}, from {DBOS.request.url if DBOS.request else 'nowhere'}"


@DBOS.workflow()
def greeting(name: str) -> dict[str, Any]:
    return {
        "said": greet(name),
        "id": DBOS.workflow_id,
        "user": DBOS.authenticated_user,
    }


@DBOS.required_roles(["clerk"])
@DBOS.workflow()
def guarded_greeting() -> str:
    return f"by {DBOS.assumed_role}"


@pytest.fixture
def config(sqlite_url: str) -> Iterator[DBOSConfig]:
    known = threads()
    yield {"name": "web-app", "system_database_url": sqlite_url, "enable_otlp": True}
    DBOS.destroy()
    assert_no_thread_but(known)


@pytest.fixture
def api(config: DBOSConfig) -> FastAPI:
    app = FastAPI()
    DBOS(fastapi=app, config=config)

    @app.get("/greet/{name}")
    def say(name: str, user: str = "") -> dict[str, Any]:
        if user:
            DBOS.set_authentication(user, [])
        return greeting(name)

    @app.get("/later/{name}")
    async def later(name: str) -> dict[str, Any]:
        handle = await DBOS.start_workflow_async(greeting, name)
        return {**await handle.get_result(), "url": DBOS.request.url}

    @app.get("/guarded")
    def guard() -> str:
        return guarded_greeting()

    @app.get("/missing")
    def missing() -> None:
        DBOS.retrieve_workflow("nobody")

    return app


@pytest.fixture
def site(config: DBOSConfig) -> Flask:
    site = Flask("site")
    DBOS(flask=site, config=config)

    @site.get("/greet/<name>")
    def say(name: str) -> dict[str, Any]:
        from flask import request

        if request.args.get("user"):
            DBOS.set_authentication(request.args["user"], [])
        return greeting(name)

    return site


def test_fastapi_launches_before_it_serves_and_destroys_after(api: FastAPI) -> None:
    assert not current_engine.is_launched()
    with TestClient(api) as client:
        assert current_engine.is_launched()
        said = client.get("/greet/Ada?x=1").json()
        assert said["said"] == "Hello, Ada, from http://testserver/greet/Ada?x=1"
        assert client.get("/later/Ada").json()["url"].endswith("/later/Ada")
    assert not current_engine.is_launched()


def test_fastapi_leaves_alone_what_somebody_else_launched(api: FastAPI) -> None:
    DBOS.launch()
    with TestClient(api) as client:
        assert client.get("/greet/Ada").status_code == 200
    assert current_engine.is_launched()


def test_a_launch_that_fails_keeps_fastapi_from_serving(sqlite_url: str) -> None:
    app = FastAPI()
    DBOS(fastapi=app, config={"name": "web-app", "system_database_url": "sqlite:////proc/no/db"})
    try:
        with pytest.raises(Exception, match="/proc/no"), TestClient(app):
            pass
    finally:
        DBOS.destroy()


def test_the_header_names_the_workflow_that_a_request_starts(api: FastAPI) -> None:
    with TestClient(api) as client:
        for _ in range(2):
            reply = client.get("/greet/Ada", headers={"dbos-workflow-id": "mine"})
            assert reply.json()["id"] == "mine"
        assert len(DBOS.list_workflows()) == 1
        assert client.get("/greet/Ada").json()["id"] != "mine"
        refused = client.get("/greet/Ada", headers={"dbos-workflow-id": "  "})
        assert refused.status_code == 400
        assert "dbos-workflow-id" in refused.text


def test_a_reply_names_its_request(api: FastAPI) -> None:
    with TestClient(api) as client:
        assert client.get("/greet/A", headers={"x-request-id": "r-1"}).headers["x-request-id"] == (
            "r-1"
        )
        made = client.get("/greet/A", headers={"x-request-id": "<script>"}).headers["x-request-id"]
        assert len(made) == 36


def test_errors_become_replies(api: FastAPI) -> None:
    with TestClient(api) as client:
        refused = client.get("/guarded")
        assert refused.status_code == 403
        assert refused.json()["dbos_error"] == "DBOSNotAuthorizedError"
        missing = client.get("/missing")
        assert missing.status_code == 500
        assert missing.json()["dbos_error"] == "DBOSNonExistentWorkflowError"


def test_workflows_are_in_the_span_that_fastapi_opens_for_their_request(
    api: FastAPI, spans: Spans
) -> None:
    with TestClient(api) as client:
        client.get("/greet/Ada", headers=CALLER)
    tree = dict(spans.tree())
    assert tree["greet"] == "greeting"
    assert tree["greeting"] in ("GET /greet/{name}", "fastapi.endpoint")
    assert "/greet/Ada" not in tree
    assert {f"{span.context.trace_id:032x}" for span in spans.finished if span.context} == {TRACE}


def test_a_request_to_flask_is_a_span_in_the_trace_of_its_caller(site: Flask, spans: Spans) -> None:
    site.test_client().get("/greet/Ada?secret=1", headers=CALLER)
    assert spans.tree() == [
        ("greet", "greeting"),
        ("greeting", "/greet/Ada"),
        ("/greet/Ada", "?"),
    ]
    handler = spans.one("/greet/Ada")
    assert handler.context is not None
    assert f"{handler.context.trace_id:032x}" == TRACE
    assert told(handler)["operationType"] == "handler"
    assert told(handler)["requestURL"] == "http://localhost/greet/Ada"


def test_flask_launches_with_its_first_request(site: Flask) -> None:
    client = site.test_client()
    assert not current_engine.is_launched()
    reply = client.get("/greet/Ada?x=1", headers={"dbos-workflow-id": "mine"})
    assert current_engine.is_launched()
    assert reply.json == {
        "said": "Hello, Ada, from http://localhost/greet/Ada?x=1",
        "id": "mine",
        "user": None,
    }
    assert len(reply.headers["x-request-id"]) == 36
    assert client.get("/greet/Ada", headers={"dbos-workflow-id": " "}).status_code == 400


def test_who_a_request_was_for_is_forgotten_with_it(site: Flask) -> None:
    client = site.test_client()
    assert client.get("/greet/Ada?user=ann").json["user"] == "ann"  # type: ignore[index]
    assert client.get("/greet/Ada").json["user"] is None  # type: ignore[index]
    assert DBOS.request is None
    assert DBOS.authenticated_user is None
