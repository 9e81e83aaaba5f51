"""Incidents: what is wrong, from its first sign until facts tell that it is resolved."""
