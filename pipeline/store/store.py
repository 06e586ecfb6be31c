"""A project's feature store: its feature sets by name, joined, queried; now or at a revision."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import PipelineError, unknown
from pipeline.parts.manifest import MANIFEST
from pipeline.store.feature_set import FeatureSet
from pipeline.store.sql.samples import samples_of
from pipeline.store.trees.consistent_read import again
from pipeline.store.trees.tree import Tree, WorkTree

if TYPE_CHECKING:
    from pipeline.store.diff import StoreDifference
    from pipeline.store.join import Joined
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
    if not (project / "params.yaml").is_file() and rev is None:
        raise PipelineError(
            f"{project.absolute()} holds no params.yaml: give the folder of a project"
        )
    if rev is None:
        return Store(WorkTree(project / "data"), project)
    from pipeline.store.trees.revision import Revision

    return Store(Revision.at(project, rev), project)


class Store:
    """The feature sets of a tree by name; read-only, and nothing is read before it is asked for."""

    def __init__(self, tree: Tree, project: Path) -> None:
        self.tree, self.project = tree, project

    @functools.cached_property
    def _names(self) -> list[str]:
        return [
            name
            for name in self.tree.names("features")
            if MANIFEST in self.tree.names(f"features/{name}")
        ]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __getitem__(self, name: str) -> FeatureSet:
        if name not in self._names:
            raise PipelineError(unknown(f"feature set in {self.tree.name}", name, self._names))
        return FeatureSet(self.tree, name, self.samples)

    def renewed(self) -> Store:
        """The same, that has read nothing yet."""
        return Store(self.tree.renewed(), self.project)

    @again
    def samples(self) -> pa.Table:
        """The curated samples."""
        return self._samples

    @functools.cached_property
    def _samples(self) -> pa.Table:
        return samples_of(self.tree)

    @again
    def join(
        self,
        sets: Sequence[str],
        where: str | None = None,
        split: str | None = None,
        view: int = 0,
        as_of: str | None = None,
    ) -> Joined:
        """Samples with the features of each set, row by row, and what is present.

        Parameters
        ----------
        where:
            A condition in SQL over the samples' columns; `target.<name>` and
            `attributes['<name>']` are understood.
        split:
            train, validation or test alone.
        view:
            View v of one set stands beside view v of the others.
        as_of:
            A batch, or `<source>/<batch>`: samples of later ones of its source are left out. See
            `pipeline.store.as_of`.
        """
        from pipeline.store.join import align

        chosen = {name: (self[name], self[name].modality) for name in sets}
        return align(self._chosen(where, split, as_of), chosen, view)

    def _chosen(self, where: str | None, split: str | None, as_of: str | None) -> pa.Table:
        from pipeline.store.as_of import samples_as_of
        from pipeline.store.sql.query import matching
        from pipeline.store.sql.samples import spread_targets

        samples = self.samples()
        if as_of is not None:
            samples = samples_as_of(samples, as_of)
        if where is not None:
            samples = samples.take(matching(spread_targets(samples), where))
        if split is not None:
            known = self.samples()["split"].unique().to_pylist()
            if split not in known:
                raise PipelineError(unknown("split", split, known))
            samples = samples.filter(pc.equal(samples["split"], split))
        return samples

    @again
    def sql(self, query: str, limits: Limits | None = None) -> pa.Table:
        """The result of one SELECT over views: one a feature set, and see `pipeline.store.views`.

        `limits` bound time, memory and rows, by default as `pipeline.store.sql.query.Limits` says.
        For a result that is larger than memory, see `stream`.
        """
        from pipeline.store.views import stream

        with stream(self, query, limits) as reader:
            return reader.read_all()

    @again
    def diff(self, rev_a: str, rev_b: str | None = None, tolerance: float = 0.0) -> StoreDifference:
        """Rows added, removed and changed from one revision to another, or to this store."""
        from pipeline.store.diff import difference

        after = self if rev_b is None else open_store(self.project, rev_b)
        return difference(open_store(self.project, rev_a), after, tolerance)

    @again
    def trace(self, sample_id: str) -> dict[str, Any]:
        """Where a sample's numbers come from: predictions, feature rows, assets, source files."""
        from pipeline.store.trace import trace

        return trace(self, sample_id)

    def dataset(
        self, sets: Sequence[str], targets: Sequence[str] = (), **chosen: Any
    ) -> SampleDataset:
        """A torch Dataset over `join` with the same arguments; see `pipeline.store.training`."""
        from pipeline.store.training import SampleDataset

        return SampleDataset(self.join(sets, **chosen), targets)
