"""Events, stream values or messages per second, written by the body of one workflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.engine.programs.common import Window, configured, parser, tell


def writers(library: Any, workflow_id: str) -> dict[str, Callable[[], None]]:
    api = library.DBOS
    return {
        "event": lambda: api.set_event("progress", 1),
        "stream": lambda: api.write_stream("progress", 1),
        "message": lambda: api.send(workflow_id, 1),
    }


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("what", choices=["event", "stream", "message"])
    options = arguments.parse_args()

    library = configured(options)

    @library.DBOS.workflow()
    def write() -> float:
        call = writers(library, library.DBOS.workflow_id)[options.what]
        window = Window(options.seconds).begin()
        while not window.is_over():
            call()
            window.note()
        return window.rate()

    library.DBOS.launch()
    tell(write())


if __name__ == "__main__":
    main()
