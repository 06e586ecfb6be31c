"""The feature store: ordinary Parquet, laid out so that it can be mapped without decoding."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.store.store import Store, open_store

__all__ = ["Store", "open_store"]


def __getattr__(name: str) -> object:
    """The store loads NumPy; what finds out by which instruction set it must compute may not."""
    if name in __all__:
        from pipeline.store import store

        return getattr(store, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
