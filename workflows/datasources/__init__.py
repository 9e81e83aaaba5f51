"""Transactions on databases of the user, through SQLAlchemy, which is optional."""
