"""The store asked in SQL."""
