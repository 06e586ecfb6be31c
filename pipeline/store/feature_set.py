"""A feature set as people use it: arrays, tensors, tables, rows by id, batches, neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipeline.core.errors import PipelineError, unknown
from pipeline.core.files.digest import digest_json
from pipeline.core.files.documents import document
from pipeline.parts.manifest import MANIFEST, Manifest
from pipeline.store.format.layout import VECTOR
from pipeline.store.format.reader import MANIFEST_COLUMNS, PART_COLUMNS
from pipeline.store.sql.query import columns_of, matching
from pipeline.store.sql.samples import SampledFeatures, row_sample_pairs, samples_of
from pipeline.store.trees.consistent_read import consistent_read

if TYPE_CHECKING:
    import pandas
    import torch

    from pipeline.store.nearest.index import Index
    from pipeline.store.nearest.neighbours import Neighbours

COLUMNS = (*PART_COLUMNS, *MANIFEST_COLUMNS, VECTOR)
# Letters of a SHA-256 in hexadecimal, by which an asset's digest is told from a sample's id.
DIGEST = 64


@dataclass(frozen=True)
class FeatureSet(SampledFeatures):
    """One feature set. Handles are cheap and read-only; threads and forks may share one.

    Every method that takes them understands:

    columns:
        Some of `digest`, `key`, `view`, `length`, `source`, `batch`, `vector`; `source` and
        `batch` are those that the asset belongs to. None: the vectors alone.
    where:
        A condition in SQL over those columns and, joined by digest, over those of the samples that
        show the asset: `split = 'train' AND target.category = 'animals'`.
    view:
        0 for the assets themselves, 1..k for their augmented versions, None for all.
    as_of:
        A batch, or `<source>/<batch>`: rows of assets that landed in later ones of its source are
        left out. See `pipeline.store.as_of`.
    """

    def __len__(self) -> int:
        """Rows of view 0, one per asset."""
        return self.rows(0)

    def renewed(self) -> FeatureSet:
        """The same, that has read nothing yet."""
        tree = self.tree.renewed()
        return FeatureSet(tree, self.name, cache(lambda: samples_of(tree)))

    @cached_property
    def _manifest(self) -> Mapping[str, Any]:
        path = self.tree.file(f"{self.folder}/{MANIFEST}")
        return asdict(document(path, Manifest))

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of `to_arrow`."""
        # There is no view -1: its table has the types, and no row is read for them.
        return self.to_arrow(view=-1).schema

    @property
    def digest(self) -> str:
        """That of the function that made it: sets of one digest hold comparable vectors."""
        return digest_json(self._manifest["function"])

    @property
    def provenance(self) -> dict[str, Any]:
        """What made it: feature set, modality, its `digest`, the function's parameters, weights,
        code and libraries."""
        return {
            "feature_set": self.name,
            "modality": self.modality,
            "digest": self.digest,
            "schema": self._manifest["schema"],
            **self._manifest["function"],
        }

    def places(
        self, where: str | None = None, view: int | None = 0, as_of: str | None = None
    ) -> np.ndarray | None:
        """Places of the rows that are asked for, ascending; None for all."""
        chosen = None
        if where is not None:
            chosen = self._where(where, view)
        if as_of is not None:
            from pipeline.store.as_of import landed_by

            landed = landed_by(as_of, self.samples())
            early = [
                np.full(entry.rows, landed(entry.source, entry.batch), np.bool_)
                for entry in self.parts(view)
            ]
            kept = np.concatenate([np.empty(0, np.bool_), *early])
            chosen = np.flatnonzero(kept) if chosen is None else chosen[kept[chosen]]
        return chosen

    @consistent_read
    def to_numpy(
        self,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        view: int | None = 0,
        as_of: str | None = None,
    ) -> Any:
        """The vectors, (n, *shape); with `columns`, a dict of one array per column."""
        rows = self.places(where, view, as_of)
        if columns is None:
            return self.matrix(rows, view)
        self._check_columns(columns)
        plain = self._plain(columns, rows, view)
        return {
            name: self.matrix(rows, view) if name == VECTOR else plain[name].to_numpy()
            for name in columns
        }

    def to_torch(
        self,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        view: int | None = 0,
        as_of: str | None = None,
    ) -> torch.Tensor | dict[str, Any]:
        """As `to_numpy`, in tensors; columns of strings are lists."""
        import torch

        arrays = self.to_numpy(columns, where, view, as_of)
        if columns is None:
            return torch.from_numpy(arrays)
        return {
            name: array.tolist() if array.dtype == object else torch.from_numpy(array.copy())
            for name, array in arrays.items()
        }

    @consistent_read
    def to_arrow(
        self,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        view: int | None = 0,
        as_of: str | None = None,
    ) -> pa.Table:
        """A table of the columns, of all by default."""
        columns = COLUMNS if columns is None else columns
        self._check_columns(columns)
        return self._table(columns, self.places(where, view, as_of), view)

    def to_pandas(
        self,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        view: int | None = 0,
        as_of: str | None = None,
    ) -> pandas.DataFrame:
        """As `to_arrow`, in a data frame."""
        try:
            import pandas  # noqa: F401
        except ModuleNotFoundError:
            raise PipelineError("to_pandas() needs pandas: `pip install pandas`") from None
        return self.to_arrow(columns, where, view, as_of).to_pandas()

    @consistent_read
    def get(self, ids: Sequence[str] | str, view: int = 0) -> np.ndarray:
        """Vectors by sample id or asset digest, in the order asked for, (n, *shape).

        Raises
        ------
        PipelineError
            There is no such view, or some are unknown, or have no row in this set.
        """
        self.check_view(view)
        identifiers = [ids] if isinstance(ids, str) else list(ids)
        rows = self.find(identifiers, view)
        missing = [identifier for identifier, row in zip(identifiers, rows, strict=True) if row < 0]
        if missing:
            examples = ", ".join(missing[:3])
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise PipelineError(
                f"{self.name} ({self.tree.name}) has no row in view {view} for {examples}{more}"
            )
        return self.matrix(np.asarray(rows), view)

    def find(self, ids: Sequence[str], view: int = 0) -> np.ndarray:
        """Places of samples or assets in a view, int64, -1 where there is none."""
        from pipeline.store.nearest.index import id_index

        digests = np.array([_is_digest(identifier) for identifier in ids], np.bool_)
        places = np.full(len(digests), -1, np.int64)
        for kind in (True, False):
            positions = np.flatnonzero(digests == kind)
            if len(positions):
                key = view, "digest" if kind else "sample_id"
                if key not in self._indexes:
                    self._indexes[key] = id_index(self, *key)
                places[positions] = self._indexes[key].find([ids[i] for i in positions.tolist()])
        return places

    @cached_property
    def _indexes(self) -> dict[tuple[int, str], Index]:
        return {}

    def batches(
        self,
        size: int,
        where: str | None = None,
        view: int | None = 0,
        as_of: str | None = None,
    ) -> Iterator[np.ndarray]:
        """The vectors in order, at most `size` at a time, so that memory holds one batch."""
        rows = self.places(where, view, as_of)
        count = self.rows(view) if rows is None else len(rows)
        for start in range(0, count, size):
            block = np.arange(start, min(start + size, count))
            yield self.matrix(block if rows is None else rows[block], view)

    @consistent_read
    def nearest(
        self,
        query: np.ndarray | str,
        k: int = 10,
        where: str | None = None,
        exact: bool = True,
        view: int = 0,
    ) -> Neighbours:
        """The k nearest rows by cosine, best first: `.digests` and `.scores`.

        Parameters
        ----------
        query:
            A vector of the set's shape, or the id of a sample or asset, which is left out itself.
        exact:
            Compare with all rows, or search an approximate index that is built on first use.

        Raises
        ------
        PipelineError
            The query is unknown, of another shape or without direction; k is less than 1; the
            view is empty; the set holds tensors, whose places in time do not correspond.
        """
        from pipeline.store.nearest.neighbours import check_set, nearest_rows

        check_set(self, view, k)
        rows = self.places(where, view)
        if isinstance(query, str):
            vector, place = self.get(query, view)[0], int(self.find([query], view)[0])
            return nearest_rows(self, vector, k, rows, exact, view, without=place)
        return nearest_rows(self, np.asarray(query), k, rows, exact, view)

    def _where(self, where: str, view: int | None) -> np.ndarray:
        mentioned = columns_of(where)
        if mentioned <= {*PART_COLUMNS, *MANIFEST_COLUMNS}:
            # A table without columns has no rows; that of the view costs nothing.
            return matching(self.columns(sorted({*mentioned, "view"}), view), where)
        places, _ = row_sample_pairs(self, where, view)
        return np.unique(places)

    def _table(self, columns: Sequence[str], rows: np.ndarray | None, view: int | None) -> pa.Table:
        from pipeline.store.format.layout import vector_column

        table = self._plain(columns, rows, view)
        if VECTOR in columns:
            table = table.append_column(*vector_column(self.matrix(rows, view)))
        return table.select(list(columns))

    def _plain(self, columns: Sequence[str], rows: np.ndarray | None, view: int | None) -> pa.Table:
        table = self.columns([name for name in columns if name != VECTOR], view)
        if not table.num_columns:
            count = self.rows(view) if rows is None else len(rows)
            return pa.table({"": pa.nulls(count)}).select([])
        return table if rows is None else table.take(rows)

    def _check_columns(self, columns: Sequence[str]) -> None:
        for name in columns:
            if name not in COLUMNS:
                raise PipelineError(unknown("column", name, COLUMNS))


def _is_digest(identifier: str) -> bool:
    return len(identifier) == DIGEST and set(identifier) <= set("0123456789abcdef")
