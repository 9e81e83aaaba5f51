"""Web processes of a host project start workflows and launch nothing; its workers run them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.embedding.project import VIEWER, HostProject, sign_in
from tests.embedding.serving import PRELOADED
from tests.support.eventually import eventually


class Workers:
    """Worker processes of the host, each started by `manage.py runworkers` and nothing more."""

    def __init__(self, host: HostProject) -> None:
        self.host = host
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, *options: str) -> None:
        self._running.append(self.host.start("runworkers", *options))

    def log(self) -> str:
        return (self.host.folder / "runworkers.log").read_text(encoding="utf-8")

    def assert_alive(self) -> None:
        assert all(each.poll() is None for each in self._running), self.log()

    def stop(self) -> None:
        for each in self._running:
            each.terminate()
        for each in self._running:
            assert each.wait(40) == 0, self.log()


@pytest.fixture
def workers(orders: HostProject) -> Iterator[Workers]:
    running = Workers(orders)
    yield running
    running.stop()


@pytest.fixture(params=["gunicorn", "daphne"])
def client(request: pytest.FixtureRequest, orders: HostProject) -> Iterator[httpx.Client]:
    """Under WSGI and under ASGI."""
    with orders.served_by(request.param).client() as opened:
        yield opened


def post(client: httpx.Client, path: str, **sent: str) -> dict[str, object]:
    answer = client.post(f"/orders/{path}/", data=sent)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_an_order_and_its_workflow_commit_together(client: httpx.Client, workers: Workers) -> None:
    before = client.get("/orders/counts/").json()
    assert client.post("/orders/place/", data={"fail": "1"}).status_code == 500
    assert client.get("/orders/counts/").json() == before
    placed = post(client, "place", loaf="rye")
    assert placed["status"] == "ENQUEUED"
    after = client.get("/orders/counts/").json()
    assert after["orders"] - before["orders"] == after["workflows"] - before["workflows"] == 1
    workers.start()
    assert client.get(f"/orders/{placed['id']}/result/").json() == {"result": 1}


def test_a_view_starts_by_function_and_by_name_and_waits(
    client: httpx.Client, workers: Workers
) -> None:
    workers.start()
    assert post(client, "start") == {"results": [1, "dough of a bun, baked"]}


def test_a_view_sends_cancels_and_resumes(client: httpx.Client, workers: Workers) -> None:
    begun = post(client, "begin")["id"]
    assert post(client, f"{begun}/cancel") == {"status": "CANCELLED"}
    assert post(client, f"{begun}/resume") == {"status": "ENQUEUED"}
    post(client, f"{begun}/say", word="croissant")
    workers.start()
    assert client.get(f"/orders/{begun}/result/").json() == {"result": "croissant"}


def test_an_async_view_awaits(orders: HostProject, workers: Workers) -> None:
    workers.start()
    with orders.served_by("daphne").client() as client:
        placed = post(client, "place-async")
        assert placed["listed"] == 1
        found = client.get(f"/orders/{placed['id']}/result-async/").json()
    assert found["result"] == 1
    assert isinstance(found["noted"], int)


@pytest.mark.usefixtures("worked")
def test_scripts_and_shells_start_workflows_of_every_app(host: HostProject) -> None:
    """The worker was told nothing: it runs those of an app that is called workflows, too."""
    script = (
        "from dboshub import DBOS\n"
        "from workflows.workflows import open_shop\n"
        "handles = [DBOS.start_workflow(each) for each in (open_shop, 'close_shop')]\n"
        "print([each.get_result() for each in handles])\n"
        "print({each.application_name for each in DBOS.list_workflows()})\n"
    )
    told = host.manage("shell", "-v", "0", "-c", script).splitlines()
    assert told == ["['the shop is open', 'the shop is closed']", "{'bakery'}"]


def test_an_application_loaded_before_the_fork_serves_in_every_child(
    orders: HostProject, workers: Workers
) -> None:
    """With gunicorn's --preload the parent has called before its workers exist."""
    wsgi = orders.folder / "bakery" / "preloaded_wsgi.py"
    wsgi.write_text(
        "from bakery.wsgi import application\n"
        "from django.db import connections\n"
        "from dboshub import DBOS\n"
        "DBOS.list_workflows(limit=1)\n"
        "DBOS.get_event('nobody', 'nothing', timeout_seconds=0.1)\n"
        "connections.close_all()\n"
    )
    workers.start()
    with orders.served_with(PRELOADED).client() as client:
        assert post(client, "start") == {"results": [1, "dough of a bun, baked"]}


def test_many_write_at_once_and_nobody_finds_the_database_locked(
    orders: HostProject, workers: Workers
) -> None:
    """Two workers, two servers and the pages of the dashboard, on Django's own defaults."""
    for _ in range(2):
        workers.start("--threads", "8")
    placed: list[object] = []
    with orders.served_by("gunicorn").client() as wsgi, orders.served_by("daphne").client() as asgi:
        sign_in(wsgi, VIEWER)
        until = time.monotonic() + 6
        while time.monotonic() < until:
            for client in (wsgi, asgi):
                placed.append(post(client, "place", loaf="crowded")["id"])
                placed.append(post(client, "place-async")["id"])
                assert client.get("/orders/counts/").status_code == 200
            assert wsgi.get("/ops/workflows/").status_code == 200
        workers.assert_alive()
        for each in placed:
            assert wsgi.get(f"/orders/{each}/result/").json() == {"result": 1}
        stock = wsgi.get("/orders/counts/").json()["stock"]
    assert stock["crowded"] == len(placed) / 2
    assert "locked" not in workers.log()


def test_workers_leave_when_told_and_hand_back_what_they_run(
    orders: HostProject, workers: Workers
) -> None:
    workers.start()
    with orders.served_by("gunicorn").client() as client:
        begun = post(client, "begin")["id"]
        status = f"print(DBOS.retrieve_workflow({begun!r}).get_status().status)"
        ask = ("shell", "-v", "0", "-c", f"from dboshub import DBOS; {status}")
        eventually(lambda: orders.manage(*ask).strip() == "PENDING", timeout=30)
        workers.stop()
        assert orders.manage(*ask).strip() == "ENQUEUED"
        workers.start()
        post(client, f"{begun}/say", word="roll")
        assert client.get(f"/orders/{begun}/result/").json() == {"result": "roll"}
