"""The HTTP endpoints that 2.x had for operators, behind a token."""
