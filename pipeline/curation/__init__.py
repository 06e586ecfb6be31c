"""Curation: which groups belong together, which split each takes, and the proof that none leaks."""
