#!/usr/bin/env python
"""Django's command line for this project."""

from __future__ import annotations

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dboshub.settings")
    from django.core.management import execute_from_command_line
    from django.core.management.base import CommandError

    from dboshub.management.command_errors import explained_outages

    try:
        with explained_outages(sys.argv):
            execute_from_command_line(sys.argv)
    except CommandError as error:
        sys.exit(f"CommandError: {error}")


if __name__ == "__main__":
    main()
