"""All cases, from the modules that define them."""

from __future__ import annotations

from tests.behaviour import details, failures, identities, loops, options, recoveries, refusals
from tests.behaviour.cases import CASES

MODULES = (details, failures, identities, loops, options, recoveries, refusals)
NAMES = [*CASES]
