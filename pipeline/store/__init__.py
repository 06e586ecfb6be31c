"""The feature store: ordinary Parquet, laid out so that it can be mapped without decoding."""

from pipeline.store.store import Store, open_store

__all__ = ["Store", "open_store"]
