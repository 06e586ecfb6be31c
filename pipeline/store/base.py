"""The feature sets of a tree by name, and their join: what the other questions are asked of."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, Self, overload

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.folders import FEATURES
from pipeline.parts.manifest import MANIFEST
from pipeline.store.as_of import samples_as_of
from pipeline.store.feature_set import FeatureSet
from pipeline.store.join import Joined
from pipeline.store.join import align as beside
from pipeline.store.sql.query import matching
from pipeline.store.sql.samples import samples_of, spread_targets
from pipeline.store.trees.consistent_read import consistent_read
from pipeline.store.trees.tree import Tree
from pipeline.store.windows import JoinedWindows, join_windows, spans_of_samples


class BaseStore:
    """The feature sets of a tree by name; read-only, and nothing is read before it is asked for."""

    def __init__(self, tree: Tree, project: Path) -> None:
        self.tree, self.project = tree, project

    @functools.cached_property
    def _names(self) -> list[str]:
        return [
            name
            for name in self.tree.names(FEATURES)
            if MANIFEST in self.tree.names(f"{FEATURES}/{name}")
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

    def renewed(self) -> Self:
        """The same, that has read nothing yet."""
        return type(self)(self.tree.renewed(), self.project)

    @consistent_read
    def samples(self) -> pa.Table:
        """The curated samples."""
        return self._samples

    @functools.cached_property
    def _samples(self) -> pa.Table:
        return samples_of(self.tree)

    @overload
    def join(
        self,
        /,
        sets: Sequence[str],
        where: str | None = None,
        split: str | None = None,
        view: int = 0,
        as_of: str | None = None,
        align: Literal["sample"] = "sample",
    ) -> Joined: ...
    @overload
    def join(
        self,
        /,
        sets: Sequence[str],
        where: str | None = None,
        split: str | None = None,
        view: int = 0,
        as_of: str | None = None,
        *,
        align: Literal["window"],
    ) -> JoinedWindows: ...
    @consistent_read
    def join(
        self,
        /,
        sets: Sequence[str],
        where: str | None = None,
        split: str | None = None,
        view: int = 0,
        as_of: str | None = None,
        align: Literal["sample", "window"] = "sample",
    ) -> Joined | JoinedWindows:
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
        align:
            `window`: samples that are spans of one file stand side by side, in the order of time.
        """
        chosen = {name: (self[name], self[name].modality) for name in sets}
        joined = beside(self._selected_samples(where, split, as_of), chosen, view)
        return joined if align == "sample" else join_windows(joined, spans_of_samples(self.tree))

    def _selected_samples(
        self, where: str | None, split: str | None, as_of: str | None
    ) -> pa.Table:
        samples = self.samples()
        if as_of is not None:
            samples = samples_as_of(samples, as_of)
        if where is not None:
            samples = samples.take(matching(spread_targets(samples), where))
        if split is not None:
            splits = self.samples()["split"].unique().to_pylist()
            if split not in splits:
                raise PipelineError(unknown("split", split, splits))
            samples = samples.filter(pc.equal(samples["split"], split))
        return samples
