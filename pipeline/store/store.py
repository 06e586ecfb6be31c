"""A project's feature store: its feature sets by name, joined, queried; now or at a revision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.store.base import BaseStore
from pipeline.store.trees.consistent_read import consistent_read
from pipeline.store.trees.opening import open_tree

if TYPE_CHECKING:
    from pipeline.store.diff import StoreDifference
    from pipeline.store.sql.query import Limits
    from pipeline.store.training import SampleDataset


def open_store(path: str | Path = ".", rev: str | None = None) -> Store:
    """The store of a project.

    Parameters
    ----------
    path:
        The project's folder, where params.yaml and data/ lie.
    rev:
        A git revision (branch, tag, commit), whose data are then read from DVC's cache, or fetched
        from its remote file by file, without touching the work tree. None: the work tree.

    Raises
    ------
    PipelineError
        There is no project, no such revision, or it has no data.
    """
    project = Path(path)
    return Store(open_tree(project, rev), project)


class Store(BaseStore):
    """A store that is asked in SQL, compared with another, and traced back to its sources."""

    @consistent_read
    def sql(self, query: str, limits: Limits | None = None) -> pa.Table:
        """The result of one SELECT over views: one per feature set, and see `pipeline.store.views`.

        `limits` bound time, memory and rows, by default as `pipeline.store.sql.query.Limits` says.
        For a result that is larger than memory, see `stream`.
        """
        from pipeline.store.views import stream

        with stream(self, query, limits) as reader:
            return reader.read_all()

    @consistent_read
    def diff(self, rev_a: str, rev_b: str | None = None, tolerance: float = 0.0) -> StoreDifference:
        """Rows added, removed and changed from one revision to another, or to this store."""
        from pipeline.store.diff import store_difference

        after = self if rev_b is None else open_store(self.project, rev_b)
        return store_difference(open_store(self.project, rev_a), after, tolerance)

    @consistent_read
    def trace(self, sample_id: str) -> dict[str, Any]:
        """Where a sample's numbers come from: predictions, feature rows, assets, source files."""
        from pipeline.store.trace import trace_sample

        return trace_sample(self, sample_id)

    def dataset(
        self, sets: Sequence[str], targets: Sequence[str] = (), **chosen: Any
    ) -> SampleDataset:
        """A torch Dataset over `join` with the same arguments; see `pipeline.store.training`."""
        from pipeline.store.training import SampleDataset

        return SampleDataset(self.join(sets, **chosen), targets)
