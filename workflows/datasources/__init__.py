"""Transactions on databases of the user's own, through SQLAlchemy, which is optional."""
