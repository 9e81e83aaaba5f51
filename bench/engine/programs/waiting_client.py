"""Milliseconds until a waiting client has an event or a stream value of another process.

The client has default settings. Each value is the moment just before it was written.
"""

from __future__ import annotations

import argparse
import time
import uuid
from collections.abc import Iterator

from bench.engine.programs.common import (
    WARM_UP_SAMPLES,
    client,
    configured,
    parser,
    pause,
    second_process,
    tell,
    until_end_of_input,
)


def write(options: argparse.Namespace) -> None:
    """Run one workflow that writes a value now and then."""
    library = configured(options)

    @library.DBOS.workflow()
    def source() -> None:
        for number in range(WARM_UP_SAMPLES + options.samples):
            pause()
            if options.what == "event":
                library.DBOS.set_event(f"event-{number}", time.time())
            else:
                library.DBOS.write_stream("stream", time.time())

    library.DBOS.launch()
    with library.SetWorkflowID(options.source):
        library.DBOS.start_workflow(source)
    until_end_of_input()


def written(options: argparse.Namespace) -> Iterator[float]:
    opened, count = client(options), WARM_UP_SAMPLES + options.samples
    if options.what == "event":
        for number in range(count):
            yield opened.get_event(options.source, f"event-{number}", timeout_seconds=10)
    else:
        values = opened.read_stream(options.source, "stream")
        for _ in range(count):
            yield next(values)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("what", choices=["event", "stream"])
    arguments.add_argument("--samples", type=int, default=8)
    arguments.add_argument("--source", help="write, by a workflow of this id")
    options = arguments.parse_args()
    if options.source:
        write(options)
    options.source = str(uuid.uuid4())
    rest = [options.what, "--samples", str(options.samples), "--source", options.source]
    second_process(__spec__.name, options.library, options.url, *rest)
    tell([(time.time() - at) * 1_000 for at in written(options)][WARM_UP_SAMPLES:])


if __name__ == "__main__":
    main()
