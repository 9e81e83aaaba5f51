"""Values of a size, in MB per second: results of steps, or arguments and results of workflows."""

from __future__ import annotations

import os

from bench.engine.programs.common import Window, configured, parser, repeat, tell


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("what", choices=["steps", "workflows"])
    arguments.add_argument("--size", type=int, default=1_000, help="bytes")
    options = arguments.parse_args()
    library = configured(options)
    value = os.urandom(options.size)

    @library.DBOS.step()
    def made() -> bytes:
        return value

    @library.DBOS.workflow()
    def makes() -> float:
        window = Window(options.seconds).begin()
        while not window.is_over():
            made()
            window.note()
        return window.rate()

    @library.DBOS.workflow()
    def given(argument: bytes) -> bytes:
        return argument

    library.DBOS.launch()
    rate = makes() if options.what == "steps" else 2 * repeat(lambda: given(value), options.seconds)
    tell(rate * options.size / 1_000_000)


if __name__ == "__main__":
    main()
