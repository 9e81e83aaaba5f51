"""Django's PostgreSQL backend, whose flush also empties the system schema between tests."""
