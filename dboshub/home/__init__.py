"""The home page: current problems, workflows in flight, and charts."""

from __future__ import annotations
