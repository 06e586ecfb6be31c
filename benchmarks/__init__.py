"""The project measured against its limit and its peers; see README.md."""
