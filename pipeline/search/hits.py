"""From near assets to the samples that show them, and so from words to pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import PipelineError, unknown
from pipeline.store.sql.samples import TARGET, samples_where
from pipeline.store.trees.consistent_read import consistent_read

if TYPE_CHECKING:
    import numpy as np

    from pipeline.store import Store


@dataclass(frozen=True)
class Hit:
    """A sample whose asset is near.

    `score` is the cosine, `digests` are the sample's assets by modality, `targets` those it has.
    """

    sample_id: str
    score: float
    digests: dict[str, str]
    targets: dict[str, Any]


@consistent_read
def search_samples(
    store: Store,
    name: str,
    query: np.ndarray | str,
    k: int = 10,
    where: str | None = None,
    exact: bool = True,
    each: str | None = None,
) -> list[Hit]:
    """The k samples that show the assets nearest to a query, best first, then by sample id.

    Parameters
    ----------
    name:
        The feature set that is asked.
    query:
        A vector of its shape, or the id of a sample or asset, whose own asset is left out.
    where:
        A condition in SQL, as for `FeatureSet.to_numpy`, that the sample and its row must meet.
    each:
        A modality: of samples that show one asset of it, only the best is found, and those that
        have none are left out. So twelve hits are twelve pictures.

    Raises
    ------
    PipelineError
        What `FeatureSet.nearest` raises; `each` is no modality of the store.
    """
    features, samples = store[name], store.samples()
    modalities = [
        candidate_name
        for candidate_name in store.tree.params["modalities"]
        if candidate_name in samples.column_names
    ]
    if each is not None and each not in modalities:
        raise PipelineError(unknown("modality", each, modalities))
    if where is not None:
        samples = samples_where(features, where, 0)
    count = k
    while True:
        near = features.nearest(query, count, where, exact)
        scores = dict(zip(near.digests, near.scores.tolist(), strict=True))
        matching = _hits_of(samples, features.modality, scores, modalities)
        hits = list(_best_of_each(matching, each) if each else matching)
        if len(hits) >= k or len(near.digests) < count:
            return hits[:k]
        count *= 4


def _hits_of(
    samples: pa.Table, modality: str, scores: dict[str, float], modalities: list[str]
) -> list[Hit]:
    """Every sample that shows one of these assets."""

    near = pa.array(list(scores), pa.string())
    rows = samples.filter(pc.is_in(samples[modality], near)).to_pylist()
    hits = [
        Hit(
            row["sample_id"],
            scores[row[modality]],
            {name: row[name] for name in modalities if row[name] is not None},
            {
                column.removeprefix(TARGET): value
                for column, value in row.items()
                if column.startswith(TARGET) and value is not None
            },
        )
        for row in rows
    ]
    return sorted(hits, key=lambda hit: (-hit.score, hit.sample_id))


def _best_of_each(hits: list[Hit], modality: str) -> Iterator[Hit]:
    seen = set()
    for hit in hits:
        asset = hit.digests.get(modality)
        if asset is not None and asset not in seen:
            seen.add(asset)
            yield hit
