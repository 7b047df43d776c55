"""SQL statements of a run: read, bound, sent to one database, their rows made plain data."""
