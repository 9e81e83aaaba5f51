#!/usr/bin/env python
"""Django's command line for this project."""

from __future__ import annotations

import sys

from dboshub.standalone.command_line import execute


def main() -> None:
    execute(sys.argv[1:], program="manage.py")


if __name__ == "__main__":
    main()
