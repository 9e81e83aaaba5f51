"""Django's SQLite backend on a file that may be another program's."""
