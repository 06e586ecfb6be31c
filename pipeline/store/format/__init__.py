"""Parquet parts as mapped memory: layout, pages, vectors, reader."""
