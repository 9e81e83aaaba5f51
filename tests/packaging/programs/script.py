"""A script without a Django project: it runs workflows on the SQLite file that it is given."""

from __future__ import annotations

import sys

import shop

import dboshub
from dboshub import DBOS, SetWorkflowID

DBOS(config={"name": "dboshub", "system_database_url": f"sqlite:///{sys.argv[1]}"})
DBOS.launch()
shop.GO.touch()
with SetWorkflowID("w"):
    print(shop.checkout("o-1"))
DBOS.send("w", "thanks")
try:
    with SetWorkflowID("refused"):
        shop.refuse("o-2")
except ValueError as error:
    print(error)
print([step["function_name"] for step in DBOS.list_workflow_steps("refused")])
shop.GO.unlink()
DBOS.destroy()
print(dboshub.__file__)
