"""Run a program that imports ``dbos`` on this project, its web server on the port of $PORT."""

from __future__ import annotations

import functools
import os
import runpy
import sys

import uvicorn

from dboshub import install_as_dbos


def main() -> None:
    install_as_dbos()
    serve = uvicorn.run

    def on_free_port(app: object, *, host: str, port: int) -> None:
        serve(app, host="127.0.0.1", port=int(os.environ["PORT"]))  # type: ignore[arg-type]

    uvicorn.run = functools.wraps(serve)(on_free_port)  # type: ignore[assignment]
    runpy.run_path(sys.argv[1], run_name="__main__")


if __name__ == "__main__":
    main()
