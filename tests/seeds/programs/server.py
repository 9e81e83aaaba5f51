# ruff: noqa: T201
from __future__ import annotations

import os

import uvicorn
from fastapi import FastAPI

from dboshub import DBOS, DBOSConfig

app = FastAPI()

# Configure DBOS
config: DBOSConfig = {
    "name": "dbos-tutorial",
    "system_database_url": os.environ.get("DBOS_SYSTEM_DATABASE_URL"),
}
DBOS(config=config)


@DBOS.step()
def step_one():
    print("Step one completed!")
    return "Step 1 done"


@DBOS.step()
def step_two():
    print("Step two completed!")
    return "Step 2 done"


@app.get("/")
@DBOS.workflow()
def dbos_workflow():
    result1 = step_one()

    # Simulate some work that takes time
    for i in range(5):
        print(f"Working... {i + 1}/5 (Press Ctrl+C to interrupt!)")
        DBOS.sleep(1)  # DBOS-aware sleep

    result2 = step_two()
    return {"status": "complete", "step1": result1, "step2": result2}


if __name__ == "__main__":
    DBOS.launch()
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]))
