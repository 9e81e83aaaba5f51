"""Workflows or messages per second by bulk calls; with --one-by-one, by calls for one each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.engine.programs.common import configured, parser, repeat, tell

SIZE = 500


def messages(library: Any, *, one_by_one: bool) -> Callable[[], None]:
    """Messages to one workflow that never receives them."""

    @library.DBOS.workflow()
    def nothing() -> None:
        pass

    library.DBOS.launch()
    destination = library.DBOS.start_workflow(nothing).workflow_id
    if one_by_one:
        return lambda: library.DBOS.send(destination, 1)
    message = library.SendMessage(destination, 1)
    return lambda: library.DBOS.send_bulk([message] * SIZE)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("what", choices=["send"])
    arguments.add_argument("--one-by-one", action="store_true")
    options = arguments.parse_args()
    library = configured(options)
    call = messages(library, one_by_one=options.one_by_one)
    tell(repeat(call, options.seconds, count=1 if options.one_by_one else SIZE))


if __name__ == "__main__":
    main()
