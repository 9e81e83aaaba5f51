"""Makes the tables of a library by launching it once."""

from __future__ import annotations

from bench.engine.programs.common import configured, parser, tell


def main() -> None:
    library = configured(parser(__doc__).parse_args())
    library.DBOS.launch()
    library.DBOS.destroy()
    tell(0)


if __name__ == "__main__":
    main()
