"""`dboshub replay`: a check of new code against what is recorded, as in CI."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.standalone.process import environment, run

APP = """
import os, sys
from dboshub import DBOS, SetWorkflowID

@DBOS.step()
def {step}(number):
    open("steps.txt", "a").write("ran\\n")
    return number + 1

@DBOS.workflow()
def cli_order(number):
    return {step}({step}(number))

@DBOS.workflow()
def cli_other():
    return "nothing"

if __name__ == "__main__":
    DBOS(config={{"name": "shop", "system_database_url": os.environ["URL"]}})
    DBOS.launch()
    for number in range(3):
        with SetWorkflowID(f"order-{{number}}"):
            cli_order(number)
    open("bundle.txt", "w").write(DBOS.export_workflow("order-1"))
    DBOS.destroy()
"""


def shop_on(url: str, tmp_path: Path) -> Path:
    """A directory with an application, whose three orders are recorded, and a bundle of one."""
    place = tmp_path / "shop"
    place.mkdir()
    (place / "app.py").write_text(APP.format(step="charge"))
    given = environment(URL=url)
    subprocess.run([sys.executable, "app.py"], cwd=place, env=given, check=True, timeout=60)
    (place / "steps.txt").unlink()
    return place


def replay(shop: Path, *arguments: str, **given: str) -> subprocess.CompletedProcess[str]:
    data = str(shop / "data")
    done = run("replay", *arguments, "--module", "app", cwd=shop, DBOSHUB_DATA_DIR=data, **given)
    assert not (shop / "steps.txt").exists(), "a replay runs no step"
    return done


def test_a_bundle_is_replayed_without_a_database(tmp_path: Path, sqlite_url: str) -> None:
    shop = shop_on(sqlite_url, tmp_path)
    done = replay(shop, "bundle.txt")
    assert (done.returncode, done.stderr) == (0, "")
    assert "cli_order  order-1  SUCCESS, 2 of 2 steps replayed, ends with SUCCESS" in done.stdout
    (shop / "app.py").write_text(APP.format(step="bill"))
    changed = replay(shop, "bundle.txt", "--json")
    assert changed.returncode == 1
    told = json.loads(changed.stdout)
    assert (told["ok"], told["replayed"], told["diverged"]) == (False, 1, 1)
    (difference,) = told["runs"][0]["divergences"]
    assert difference == {
        "kind": "step",
        "text": "step 1 is recorded as charge, and the code calls bill",
        "step": 1,
        "recorded": "charge",
        "called": "bill",
    }


def test_the_newest_runs_of_each_name_are_replayed(tmp_path: Path, database_url: str) -> None:
    shop = shop_on(database_url, tmp_path)
    url = {"DBOS_SYSTEM_DATABASE_URL": database_url}
    done = replay(shop, "--from-database", "--newest", "2", "--json", **url)
    assert (done.returncode, done.stderr) == (0, "")
    assert [each["workflow_id"] for each in json.loads(done.stdout)["runs"]] == [
        "order-2",
        "order-1",
    ]
    (shop / "app.py").write_text(APP.format(step="bill"))
    changed = replay(shop, "--from-database", "--name", "cli_order", **url)
    assert changed.returncode == 1
    assert changed.stdout.count("DIVERGES") == 3
    assert changed.stdout.rstrip().endswith("3 runs replayed, 3 of them diverge")


def test_code_that_launches_as_it_is_imported_is_refused(tmp_path: Path, sqlite_url: str) -> None:
    shop = shop_on(sqlite_url, tmp_path)
    (shop / "app.py").write_text(APP.format(step="charge").replace('__name__ == "__main__"', "1"))
    done = replay(shop, "bundle.txt", URL=sqlite_url)
    assert done.returncode == 1
    assert "a replay runs no workflow, so DBOS.launch() is refused" in done.stderr
