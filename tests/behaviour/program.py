"""Run every case with the library that the environment names, and print what each returned."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from tests.behaviour import every_case
from tests.behaviour.cases import CASES, DBOS, launch, value_of


def outcome(name: str, config: dict[str, Any]) -> Any:
    try:
        return value_of(CASES[name], config)
    except Exception as failed:
        return f"{type(failed).__name__}: {failed}"


def main() -> None:
    config = json.loads(os.environ["BEHAVIOUR_CONFIG"])
    names = sys.argv[1:] or [*every_case.NAMES]
    launch(config)
    found = {each: outcome(each, config) for each in names if CASES[each].is_launched}
    DBOS.destroy()
    found |= {each: outcome(each, config) for each in names if not CASES[each].is_launched}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
