"""Nearest neighbours: exact, indexed, approximate."""
