"""``python -m dboshub``: the same as the console command ``dboshub``."""

from __future__ import annotations

from dboshub.standalone.command_line import main

if __name__ == "__main__":
    main()
