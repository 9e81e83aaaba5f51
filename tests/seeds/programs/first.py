# ruff: noqa: T201
from __future__ import annotations

import os

from dboshub import DBOS, DBOSConfig

# Configure DBOS
config: DBOSConfig = {
    "name": "dbos-tutorial",
    "system_database_url": os.environ.get("DBOS_SYSTEM_DATABASE_URL"),
}
DBOS(config=config)


# Define a step
@DBOS.step()
def step_one():
    print("Step one completed!")
    return "Result from step one"


# Define another step
@DBOS.step()
def step_two():
    print("Step two completed!")
    return "Result from step two"


# Define a workflow that uses the steps
@DBOS.workflow()
def my_first_workflow():
    result1 = step_one()
    result2 = step_two()
    print(f"Workflow completed! Got: {result1} and {result2}")
    return "Workflow finished successfully"


# Run the program
if __name__ == "__main__":
    DBOS.launch()
    my_first_workflow()
