"""Children per second of one parent, which starts them all and then awaits their results."""

from __future__ import annotations

import time

from bench.engine.programs.common import configured, parser, tell


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--count", type=int, default=100)
    options = arguments.parse_args()
    library = configured(options)

    @library.DBOS.workflow()
    def child() -> None:
        pass

    @library.DBOS.workflow()
    def parent() -> None:
        handles = [library.DBOS.start_workflow(child) for _ in range(options.count)]
        for handle in handles:
            handle.get_result()

    library.DBOS.launch()
    begun = time.perf_counter()
    parent()
    tell(options.count / (time.perf_counter() - begun))


if __name__ == "__main__":
    main()
