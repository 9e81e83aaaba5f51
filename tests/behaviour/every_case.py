"""All cases, from the modules that define them."""

from __future__ import annotations

from tests.behaviour import details, failures, identities, loops, options, refusals
from tests.behaviour.cases import CASES

MODULES = (details, failures, identities, loops, options, refusals)
NAMES = [*CASES]
