"""No-op workflows per second: called directly, or started and awaited by one caller."""

from __future__ import annotations

import time
from typing import Any

from bench.engine.programs.common import configured, parser, repeat, tell

WARM_UP, STARTS = 100, 500


def start_all(library: Any, workflow: Any, count: int) -> float:
    """Start so many, then wait for all results; gives the seconds."""
    begun = time.perf_counter()
    handles = [library.DBOS.start_workflow(workflow) for _ in range(count)]
    for handle in handles:
        handle.get_result()
    return time.perf_counter() - begun


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("how", choices=["started", "called"])
    options = arguments.parse_args()

    library = configured(options)

    @library.DBOS.workflow()
    def nothing() -> None:
        pass

    library.DBOS.launch()
    if options.how == "called":
        tell(repeat(nothing, options.seconds))
    start_all(library, nothing, WARM_UP)
    tell(STARTS / start_all(library, nothing, STARTS))


if __name__ == "__main__":
    main()
